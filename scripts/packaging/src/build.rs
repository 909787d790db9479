//! Building the functions: the tools, the target, and the flags that leave this machine's paths out of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use hubbub_infra::functions::BINARY;
use hubbub_infra::settings::Architecture;

/// The C library of Amazon Linux 2023, which `provided.al2023` is.
const GLIBC: &str = "2.34";

/// The separator of flags in `CARGO_ENCODED_RUSTFLAGS`, so that a flag may have spaces.
const BETWEEN_FLAGS: &str = "\x1f";

/// The folders that a build reads and writes.
#[derive(Debug, clap::Args)]
pub(crate) struct Places {
    /// The repository.
    #[arg(long, hide = true)]
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    #[arg(long, hide = true)]
    pub(crate) target_folder: PathBuf,
    /// Where cargo keeps the dependencies' sources.
    #[arg(long, hide = true)]
    pub(crate) cargo_home: PathBuf,
}

impl Places {
    /// What the build writes beside cargo's own files: the tools, their caches, the binaries.
    fn own(&self, end: &str) -> PathBuf {
        self.target_folder.join("package").join(end)
    }

    /// The virtual environment with the tools.
    fn tools(&self) -> PathBuf {
        self.own("venv")
    }

    fn python(&self) -> PathBuf {
        self.tools().join("bin/python")
    }

    /// The functions' binary, where cargo-lambda puts it.
    pub(crate) fn binary(&self, architecture: Architecture) -> PathBuf {
        self.own(architecture.name()).join(BINARY).join("bootstrap")
    }
}

/// The rustc that builds the functions.
#[derive(Debug)]
pub(crate) struct Compiler {
    /// Its version, such as `rustc 1.95.0 (59807616e 2026-04-14)`.
    pub(crate) version: String,
    commit: String,
    sysroot: PathBuf,
}

impl Compiler {
    /// Asks the rustc that builds the repository.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn find(root: &Path) -> anyhow::Result<Self> {
        let said = ask_rustc(root, &["-vV"])?;
        let version = said.lines().next().unwrap_or_default().to_owned();
        let commit = said.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown").to_owned();
        let sysroot = PathBuf::from(ask_rustc(root, &["--print", "sysroot"])?);
        Ok(Self { version, commit, sysroot })
    }

    /// Whether the standard library for an architecture is installed.
    pub(crate) fn has(&self, architecture: Architecture) -> bool {
        let libraries = self.sysroot.join("lib/rustlib").join(target(architecture)).join("lib");
        let is_std = |name: &str| name.starts_with("libstd-");
        libraries
            .read_dir()
            .is_ok_and(|files| files.flatten().any(|file| file.file_name().to_str().is_some_and(is_std)))
    }
}

fn ask_rustc(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    // From the repository's folder, where rust-toolchain.toml names the toolchain.
    let rustc = Command::new("rustc").args(arguments).current_dir(root).stderr(Stdio::inherit()).output();
    let rustc = rustc.context("rustc can't be run; see https://rustup.rs")?;
    if !rustc.status.success() {
        bail!("`rustc {}` has failed with {}", arguments.join(" "), rustc.status);
    }
    Ok(String::from_utf8(rustc.stdout)?.trim_end().to_owned())
}

/// Rust's name for an architecture.
pub(crate) fn target(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
        Architecture::X86_64 => "x86_64-unknown-linux-gnu",
    }
}

/// The oldest processor that Lambda has: Graviton2, and of Intel's one with AVX2.
fn processor(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Arm64 => "neoverse-n1",
        Architecture::X86_64 => "haswell",
    }
}

/// Installs cargo-lambda and zig, unless they are there.
///
/// # Errors
/// When pip fails; it has said why.
pub(crate) fn install_tools(places: &Places) -> anyhow::Result<()> {
    let status = Command::new("bash")
        .args(["-euc", "source \"$1\" && make_venv \"$2\" \"$3\" packaging", "install"])
        .arg(places.root.join("scripts/lib.sh"))
        .arg(places.tools())
        .arg(places.root.join("scripts/packaging/requirements.txt"))
        .status()
        .context("bash can't be run")?;
    if !status.success() {
        bail!("cargo-lambda and zig can't be installed, for which pip has given the reason above");
    }
    Ok(())
}

/// Builds the functions' binary by the release profile.
///
/// # Errors
/// When cargo-lambda fails; it has said why.
pub(crate) fn build(
    places: &Places,
    compiler: &Compiler,
    architecture: Architecture,
    quiet: bool,
) -> anyhow::Result<()> {
    let binaries = places.own(architecture.name());
    // So that a binary of an earlier build is never packed.
    if binaries.exists() {
        std::fs::remove_dir_all(&binaries).with_context(|| format!("`{}` can't be removed", binaries.display()))?;
    }
    let mut command = Command::new(places.tools().join("bin/cargo-lambda"));
    command
        .args(["lambda", "build", "--release", "--locked", "--package=hubbub-functions"])
        .arg(format!("--bin={BINARY}"))
        // The profile in Cargo.toml sets the optimisations, and `Compiler::has` has checked the target.
        .args(["--disable-optimizations", "--skip-target-check"])
        .arg(format!("--target={}.{GLIBC}", target(architecture)))
        .arg("--lambda-dir")
        .arg(&binaries)
        .current_dir(&places.root)
        // Standard output is for the result.
        .stdout(std::io::stderr())
        .env("CARGO_ENCODED_RUSTFLAGS", flags(places, compiler, architecture)?.join(BETWEEN_FLAGS))
        .env("CARGO_TARGET_DIR", &places.target_folder)
        .env("CARGO_ZIGBUILD_PYTHON_PATH", places.python())
        .env("CARGO_ZIGBUILD_CACHE_DIR", places.own("zigbuild"))
        .env("ZIG_GLOBAL_CACHE_DIR", places.own("zig"));
    if quiet {
        command.arg("--quiet");
    }
    let status = command.status().context("cargo-lambda can't be run")?;
    if !status.success() {
        bail!("cargo-lambda has failed with {status}; what it said is above");
    }
    Ok(())
}

/// The compiler's flags; the operator's own are left out. Panics name a source's path, so each folder gets the same name on every host. rustc
/// uses the last name that fits, so a folder comes after those that it may be in.
fn flags(places: &Places, compiler: &Compiler, architecture: Architecture) -> anyhow::Result<Vec<String>> {
    // If the standard library's sources are installed, their paths would replace the names that it ships with.
    let standard_library = compiler.sysroot.join("lib/rustlib/src/rust");
    let folders = [
        (&places.root, "/hubbub".to_owned()),
        (&places.target_folder, "/hubbub/target".to_owned()),
        (&places.cargo_home, "/cargo".to_owned()),
        (&standard_library, format!("/rustc/{}", compiler.commit)),
    ];
    let mut flags = vec![format!("-Ctarget-cpu={}", processor(architecture))];
    for (folder, name) in folders {
        let folder = folder.to_str().with_context(|| format!("`{}` is not UTF-8", folder.display()))?;
        flags.push(format!("--remap-path-prefix={folder}={name}"));
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_names_no_folder_of_the_host() {
        let places = Places {
            root: "/home/a b/hubbub".into(),
            target_folder: "/home/a b/hubbub/target".into(),
            cargo_home: "/home/a b/hubbub/.cargo".into(),
        };
        let compiler = Compiler { version: "rustc".to_owned(), commit: "c0ffee".to_owned(), sysroot: "/rust".into() };
        let expected = [
            "-Ctarget-cpu=neoverse-n1",
            "--remap-path-prefix=/home/a b/hubbub=/hubbub",
            "--remap-path-prefix=/home/a b/hubbub/target=/hubbub/target",
            "--remap-path-prefix=/home/a b/hubbub/.cargo=/cargo",
            "--remap-path-prefix=/rust/lib/rustlib/src/rust=/rustc/c0ffee",
        ];
        assert_eq!(flags(&places, &compiler, Architecture::Arm64).unwrap(), expected);
    }

    #[test]
    fn compiler_has_the_target_of_this_test() {
        let compiler = Compiler::find(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(compiler.version.starts_with("rustc 1."), "{}", compiler.version);
        let own = Architecture::ALL.into_iter().find(|&a| target(a).starts_with(std::env::consts::ARCH)).unwrap();
        assert!(compiler.has(own));
        let nowhere = Compiler { sysroot: "/nowhere".into(), ..compiler };
        assert!(!nowhere.has(own));
    }
}
