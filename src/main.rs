//! The `ha-appliance` program: everything is in the library.

fn main() -> std::process::ExitCode {
    ha_appliance::cli::main()
}
