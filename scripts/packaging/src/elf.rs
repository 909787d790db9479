//! Which processor a binary is for.

use hubbub_infra::settings::Architecture;

/// The start of every ELF file with 64 bits whose lowest byte comes first, as on both of Lambda's architectures.
const MAGIC: &[u8] = b"\x7fELF\x02\x01";

/// Where the machine is named, in two bytes: <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>.
const MACHINE: usize = 18;

const X86_64: u16 = 62;
const AARCH64: u16 = 183;

/// The architecture of a Linux binary, if Lambda has it.
pub(crate) fn architecture(binary: &[u8]) -> Option<Architecture> {
    let machine = binary.strip_prefix(MAGIC)?.get(MACHINE - MAGIC.len()..)?.first_chunk()?;
    match u16::from_le_bytes(*machine) {
        X86_64 => Some(Architecture::X86_64),
        AARCH64 => Some(Architecture::Arm64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(machine: u16) -> Vec<u8> {
        let mut header = b"\x7fELF\x02\x01\x01".to_vec();
        header.resize(MACHINE, 0);
        header.extend(machine.to_le_bytes());
        header.resize(64, 0);
        header
    }

    #[test]
    fn a_binary_says_what_it_runs_on() {
        assert_eq!(architecture(&header(62)), Some(Architecture::X86_64));
        assert_eq!(architecture(&header(183)), Some(Architecture::Arm64));
    }

    #[test]
    fn what_lambda_can_not_run_has_no_architecture() {
        let riscv = header(243);
        for other in [&riscv[..], &header(62)[..19], b"MZ", b""] {
            assert_eq!(architecture(other), None, "{other:?}");
        }
    }

    #[test]
    fn this_test_is_for_the_architecture_that_runs_it() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let name = architecture(&own).unwrap().name().replace("arm64", "aarch64");
        assert_eq!(name, std::env::consts::ARCH);
    }
}
