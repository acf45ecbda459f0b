//! `cargo gen-benchmarks`: starts the `gen-benchmarks` beside this program, without the name that
//! cargo puts before the arguments.

use std::env;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let program = format!("gen-benchmarks{}", env::consts::EXE_SUFFIX);
    let beside = env::current_exe().map(|path| path.with_file_name(&program));
    let mut arguments = env::args_os().skip(1).peekable();
    arguments.next_if(|first| first == "gen-benchmarks");
    let mut command = Command::new(beside.unwrap_or_else(|_| program.into()));
    command.args(arguments);
    // In its place, so that an interrupt reaches one program only.
    #[cfg(unix)]
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    #[cfg(not(unix))]
    let error = match command.status() {
        Ok(status) => return ExitCode::from(status.code().unwrap_or(2) as u8),
        Err(error) => error,
    };
    let program = command.get_program().display();
    eprintln!("error: cannot start {program}: {error}; install both programs with `cargo install`");
    ExitCode::from(2)
}
