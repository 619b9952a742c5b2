//! The help of every command is a contract: it changes on purpose or not at all.

use crate::sealed::Sealed;

const COMMANDS: &[&str] = &[
    "up",
    "plan",
    "watch",
    "down",
    "start",
    "stop",
    "restart",
    "ps",
    "logs",
    "exec",
    "edge",
    "smoke",
    "history",
    "releases",
    "rollback",
    "promote",
    "stacks",
    "config",
    "secret",
    "token",
    "db",
    "bucket",
    "serve",
    "bridge",
    "init",
    "version",
    "completions",
];

#[test]
fn the_help_of_the_program_must_name_every_command() {
    let ran = Sealed::new().run(&["--help"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.stderr, "");
    for command in COMMANDS {
        assert!(ran.stdout.contains(&format!("\n  {command} ")), "`{command}` is missing");
    }
    insta::assert_snapshot!("mainstay", ran.stdout);
}

#[test]
fn the_help_of_every_command_must_have_a_purpose_and_examples() {
    let sealed = Sealed::new();
    for command in COMMANDS {
        let ran = sealed.run(&[command, "--help"]);
        assert_eq!(ran.code, Some(0), "{command}");
        assert!(ran.stdout.contains("\nExamples:\n"), "`{command} --help` has no examples");
        // What every command takes is in the snapshot of the program's own help.
        let own = ran.stdout.split("\nWhich stack:\n").next().unwrap_or_default();
        let examples = ran.stdout.split("\nExamples:\n").nth(1).unwrap_or_default();
        insta::assert_snapshot!(format!("mainstay-{command}"), format!("{own}\nExamples:\n{examples}"));
    }
}

/// Commands below another one, each with what it has to say of itself.
const BELOW: &[&[&str]] = &[
    &["db", "drift"],
    &["db", "drill"],
    &["db", "migrate"],
    &["db", "migrate", "adopt"],
    &["db", "migrate", "rehearse"],
    &["db", "restore"],
];

#[test]
fn the_help_of_commands_below_others_must_have_examples() {
    let sealed = Sealed::new();
    for command in BELOW {
        let ran = sealed.run(&[command, &["--help"][..]].concat());
        assert_eq!(ran.code, Some(0), "{command:?}");
        let own = ran.stdout.split("\nWhich stack:\n").next().unwrap_or_default();
        let examples = ran.stdout.split("\nExamples:\n").nth(1).unwrap_or_default();
        assert!(!examples.is_empty(), "`{}` has no examples", command.join(" "));
        insta::assert_snapshot!(format!("mainstay-{}", command.join("-")), format!("{own}\nExamples:\n{examples}"));
    }
}

#[test]
fn completions_must_be_made_for_every_shell() {
    let sealed = Sealed::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = sealed.run(&["completions", shell]);
        assert_eq!(ran.code, Some(0), "{shell}");
        assert!(ran.stdout.contains("restart"), "the completions of {shell} know no commands");
    }
}
