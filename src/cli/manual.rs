//! Completions and the man page, made out of the help: a packager takes them from here.

use std::io;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, CommandError, Options};

/// For which shell.
#[derive(Args, Clone, Debug)]
pub struct Completions {
    #[command(flatten)]
    options: Options,

    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn options(&self) -> &Options {
        &self.options
    }
}

/// The completions for a shell.
#[must_use]
pub fn completions(wanted: &Completions) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(wanted.shell, &mut <Cli as CommandFactory>::command(), "mongo-uplink", &mut text);
    text
}

/// The man page, mongo-uplink(1), with a section for each command.
///
/// # Errors
/// Never, as it is written into memory.
pub fn man() -> Result<Vec<u8>, CommandError> {
    let mut command = <Cli as CommandFactory>::command();
    command.build();
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(command.clone());
    page.render(&mut text)?;
    for subcommand in command.get_subcommands().filter(|command| command.get_name() != "help") {
        section(subcommand, &mut text)?;
    }
    Ok(text)
}

/// A command's options, behind a heading of its own.
fn section(command: &clap::Command, text: &mut Vec<u8>) -> io::Result<()> {
    use io::Write as _;
    writeln!(text, ".SH \"COMMAND {}\"", command.get_name().to_uppercase())?;
    let page = clap_mangen::Man::new(command.clone());
    page.render_description_section(text)?;
    page.render_options_section(text)
}
