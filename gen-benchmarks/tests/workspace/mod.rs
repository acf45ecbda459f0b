//! A workspace of its own for tests, with cases that are right, wrong, late and gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder of the workspace under test; made at the first call.
pub(crate) fn workspace() -> &'static Path {
    static WORKSPACE: OnceLock<PathBuf> = OnceLock::new();
    WORKSPACE.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().expect("the package lies in the workspace");
        let fixture = here.join("tests/fixture");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixture");
        let files = [
            "benches/cases.rs",
            "benches/global_absent.rs",
            "benches/global_plain.rs",
            "benches/global_present.rs",
            "benches/group/mod.rs",
            "benches/tango.rs",
            "benches/workload.rs",
            "benchmarks.toml",
            "src/lib.rs",
        ];
        for file in files {
            let to = folder.join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(fixture.join(file), to).unwrap();
        }
        let manifest = fs::read_to_string(fixture.join("Cargo.toml.in")).unwrap();
        let manifest = manifest.replace("@root@", &root.display().to_string());
        fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        // The versions that are already here.
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        folder
    })
}

/// Where cargo builds that workspace.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixture-target")
}
