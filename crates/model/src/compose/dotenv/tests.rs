use super::*;

fn environment(name: &str) -> Option<String> {
    match name {
        "HOME" => Some("/root".into()),
        "WINS" => Some("outside".into()),
        _ => None,
    }
}

fn read(text: &str) -> Vec<(String, Option<String>)> {
    parse(text.as_bytes(), FileId(3), &environment).unwrap()
}

/// The values as `KEY=value` words; a bare key without a value is `KEY`.
fn shown(text: &str) -> Vec<String> {
    let one = |(key, value): (String, Option<String>)| match value {
        Some(value) => format!("{key}={value}"),
        None => key,
    };
    read(text).into_iter().map(one).collect()
}

fn faults(text: &str) -> Vec<(u32, String)> {
    let complaints = parse(text.as_bytes(), FileId(3), &environment).unwrap_err();
    complaints.into_iter().map(|c| (c.span.line, c.message)).collect()
}

#[test]
fn values_in_every_dress() {
    let cases = [
        ("A=1", "A=1"),
        ("A = 1 ", "A=1"),
        ("export A=1", "A=1"),
        ("export\tA: 1", "A=1"),
        ("exported=1", "exported=1"),
        ("A: yaml style", "A=yaml style"),
        ("A=http://h:80/?a=b", "A=http://h:80/?a=b"),
        ("A=x # note", "A=x"),
        ("A=x#y", "A=x#y"),
        ("A= #x", "A=#x"),
        ("A='lit $HOME \\n' # note", "A=lit $HOME \\n"),
        ("A=\"a\\tb \\\"q\\\" \\$HOME \\\\ \\0101\"", "A=a\tb \"q\" $HOME \\ A"),
        ("A=\"one\ntwo\"", "A=one\ntwo"),
        ("A='it\\'s'", "A=it's"),
        ("A=\"\"", "A="),
        ("A=", "A="),
        ("A.b-c[0]=1", "A.b-c[0]=1"),
        ("\u{FEFF}A=1\r\n", "A=1"),
        ("A=it's", "A=it's"),
        ("A=\\n", "A=\\n"),
        ("A=\"\\q \\09\"", "A=\\q \\9"),
    ];
    for (text, wanted) in cases {
        assert_eq!(shown(text), [wanted], "{text}");
    }
}

#[test]
fn earlier_keys_and_the_environment_fill_variables() {
    let text = "A=1\nB=$A-${HOME}-${NONE:-d}\nWINS=inside\nC=$WINS\nD='$A'\nE=\"$B\"\n";
    assert_eq!(shown(text), ["A=1", "B=1-/root-d", "WINS=inside", "C=outside", "D=$A", "E=1-/root-d"]);
}

#[test]
fn a_bare_key_takes_the_callers_value() {
    assert_eq!(shown("HOME\nNONE\n# c\n\nLAST"), ["HOME=/root", "NONE", "LAST"]);
    assert_eq!(shown("A=1\nA\n"), ["A=1"]);
}

#[test]
fn the_last_of_two_equal_keys_counts() {
    assert_eq!(shown("A=1\nB=2\nA=3"), ["A=3", "B=2"]);
}

#[test]
fn faults_name_their_lines_together() {
    let text = "A=1\nB C=2\nD@=3\n\n=4\nE=${E\n";
    assert_eq!(
        faults(text),
        [
            (2, "a space stands in the name in front of `=`".to_owned()),
            (3, "`@` cannot stand in the name of a variable".to_owned()),
            (5, "this line has a value, but no name".to_owned()),
            (6, "a `$` in this value starts nothing that Compose can read".to_owned()),
        ]
    );
    assert_eq!(
        faults("X=1\nA='open\nB=2\n"),
        [(2, "the value that starts with ' in this line has no closing quote".to_owned())]
    );
    assert_eq!(faults("\nA=${B:?say it}"), [(2, "the variable `B` is required and has no value: say it".to_owned())]);
}

#[test]
fn a_raw_file_is_taken_literally() {
    let text = "# c\nA='x' $B \\n \n  B=1\r\nBARE\nC=\n";
    let found = parse_raw(text.as_bytes(), FileId(0)).unwrap();
    let wanted = [("A", Some("'x' $B \\n ")), ("B", Some("1")), ("BARE", None), ("C", Some(""))];
    let found: Vec<_> = found.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
    assert_eq!(found, wanted);
    assert!(parse_raw(b"A B=1\n=2", FileId(0)).is_err_and(|complaints| complaints.len() == 2));
}

#[test]
fn bytes_that_are_not_text_name_their_line() {
    let complaints = parse(b"A=1\nB=\xFF\n", FileId(0), &environment).unwrap_err();
    assert_eq!((complaints[0].code, complaints[0].span.line), ("not-utf8", 2));
}
