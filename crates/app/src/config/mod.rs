//! The only reader of the environment, and where each setting comes from: flag, then variable, then default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cli::Global;
use crate::problem::Problem;
use crate::remote::carried::{self, Carried};
use crate::ui::ColorChoice;

/// What the process was started in, read once.
#[derive(Clone, Debug)]
pub struct Environment {
    pub variables: BTreeMap<String, String>,
    pub working_directory: PathBuf,
    pub is_root: bool,
    /// How the command came here, when it was typed on another machine.
    pub carried: Option<Carried>,
}

impl Environment {
    /// # Errors
    /// When the working directory is gone.
    pub fn of_process() -> Result<Self, Problem> {
        let working_directory = std::env::current_dir().map_err(|error| {
            Problem::world("no-working-directory", "the working directory cannot be read").caused_by(&error)
        })?;
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let mut variables: BTreeMap<String, String> = variables;
        let carried = variables.remove(carried::VARIABLE).and_then(|text| serde_json::from_str(&text).ok());
        Ok(Environment { variables, working_directory, is_root: rustix::process::geteuid().is_root(), carried })
    }

    /// Who asks for this: whoever it was carried for, else the user by name or by number.
    pub fn user(&self) -> String {
        if let Some(carried) = &self.carried {
            return carried.by.clone();
        }
        let name = self.get("USER").or_else(|| self.get("LOGNAME"));
        name.map_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()), str::to_owned)
    }

    /// A variable that is set to something.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Every setting, settled.
#[derive(Clone, Debug)]
pub struct Settings {
    pub state_dir: PathBuf,
    /// Where the key of the host is; `None` means in the state folder.
    pub key_file: Option<PathBuf>,
    /// Where `mainstay serve` listens.
    pub socket: PathBuf,
    /// `None` means the engine's own default.
    pub docker_host: Option<String>,
    pub color: ColorChoice,
    pub json: bool,
    pub yes: bool,
    pub dry_run: bool,
    pub quiet: bool,
}

/// The name of the socket inside the state folder.
pub const SOCKET: &str = "mainstay.sock";

impl Settings {
    /// # Errors
    /// When no state folder can be found.
    pub fn of(global: &Global, environment: &Environment) -> Result<Self, Problem> {
        let state_dir = state_dir(global, environment)?;
        let color = match (global.color, environment.get("NO_COLOR")) {
            (ColorChoice::Auto, Some(_)) => ColorChoice::Never,
            (choice, _) => choice,
        };
        let key_file = global.key_file.clone().or_else(|| environment.get("MAINSTAY_KEY_FILE").map(PathBuf::from));
        Ok(Settings {
            key_file: key_file.map(|told| environment.working_directory.join(told)),
            socket: state_dir.join(SOCKET),
            state_dir,
            docker_host: global.docker_host.clone().or_else(|| environment.get("DOCKER_HOST").map(str::to_owned)),
            color,
            json: global.json,
            yes: global.yes,
            dry_run: global.dry_run,
            quiet: global.quiet,
        })
    }
}

fn state_dir(global: &Global, environment: &Environment) -> Result<PathBuf, Problem> {
    let told = global.state_dir.clone().or_else(|| environment.get("MAINSTAY_STATE_DIR").map(PathBuf::from));
    if let Some(told) = told {
        return Ok(environment.working_directory.join(told));
    }
    if environment.is_root {
        return Ok(PathBuf::from("/var/lib/mainstay"));
    }
    let data_home = environment
        .get("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| environment.get("HOME").map(|home| Path::new(home).join(".local/share")));
    data_home.map(|home| home.join("mainstay")).ok_or_else(|| {
        Problem::usage("no-state-dir", "there is no home folder to keep the state in")
            .hint("name one: `--state-dir DIR`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)], is_root: bool) -> Environment {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Environment { variables, working_directory: "/work".into(), is_root, carried: None }
    }

    #[test]
    fn the_state_folder_must_come_from_the_flag_then_the_variable_then_the_user() {
        let everything = [("MAINSTAY_STATE_DIR", "/from/variable"), ("HOME", "/home/ada")];
        let flag = Global { state_dir: Some("here".into()), ..Global::default() };
        let dir = |global: &Global, environment: &Environment| state_dir(global, environment).expect("a folder");
        assert_eq!(dir(&flag, &environment(&everything, false)), Path::new("/work/here"));
        assert_eq!(dir(&Global::default(), &environment(&everything, false)), Path::new("/from/variable"));
        assert_eq!(dir(&Global::default(), &environment(&[], true)), Path::new("/var/lib/mainstay"));
        let home = environment(&[("HOME", "/home/ada")], false);
        assert_eq!(dir(&Global::default(), &home), Path::new("/home/ada/.local/share/mainstay"));
        let xdg = environment(&[("XDG_DATA_HOME", "/data"), ("HOME", "/home/ada")], false);
        assert_eq!(dir(&Global::default(), &xdg), Path::new("/data/mainstay"));
        assert!(state_dir(&Global::default(), &environment(&[], false)).is_err());
    }

    #[test]
    fn an_empty_docker_host_must_mean_the_default() {
        let settings = Settings::of(&Global::default(), &environment(&[("DOCKER_HOST", "")], true)).expect("settings");
        assert_eq!(settings.docker_host, None);
    }
}
