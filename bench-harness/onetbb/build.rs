//! Compiles the shim where oneTBB is installed, and says so by the cfg `onetbb`.

use std::env;
use std::path::Path;

const SHIM: &str = "src/shim.cpp";

fn main() {
    println!("cargo:rustc-check-cfg=cfg(onetbb)");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={SHIM}");
    println!("cargo:rerun-if-env-changed=CXX");
    if !links() {
        // Installing the library changes this folder, and then the question is asked again.
        if Path::new("/usr/include").exists() {
            println!("cargo:rerun-if-changed=/usr/include");
        }
        println!(
            "cargo:warning=`onetbb` is left out of the benchmarks: tbb/flow_graph.h, its library or a C++ compiler was not found; install libtbb-dev and g++"
        );
        return;
    }
    shim().compile("onetbb_shim");
    println!("cargo:rustc-link-lib=tbb");
    println!("cargo:rustc-cfg=onetbb");
}

fn shim() -> cc::Build {
    let mut shim = cc::Build::new();
    // What a release build of a C++ program gets, also in builds for tests: the shim is the peer.
    shim.cpp(true).std("c++17").opt_level(3).file(SHIM);
    shim
}

/// Whether a compiler, the headers and the library are there: a header alone could break the build
/// of everything that links to this crate.
fn links() -> bool {
    let mut shim = shim();
    shim.cargo_metadata(false).cargo_warnings(false);
    let Ok(compiler) = shim.try_get_compiler() else {
        return false;
    };
    let trial = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("trial");
    compiler
        .to_command()
        .args([SHIM, "-shared", "-fPIC", "-ltbb", "-o"])
        .arg(trial)
        .output()
        .is_ok_and(|output| output.status.success())
}
