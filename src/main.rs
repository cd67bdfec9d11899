//! The `gwha` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    gwha::cli::main()
}
