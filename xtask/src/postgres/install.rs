//! Installs PostgreSQL's server where the machine lets us: Debian or Ubuntu, as root or with a
//! `sudo` that asks nothing.

use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::apt::privileged_shell;

/// Debian's package makes a cluster `main` and starts it when first installed; nobody asked for
/// one. The setting stands in a file of our own, because `createcluster.conf` belongs to the
/// machine's administrator, and goes away with the script, so that a later installation by hand
/// behaves as usual. Nothing here stops, starts or looks at a cluster.
///
/// A failed `update` need not matter (one dead mirror of three); the installation tells.
const SCRIPT: &str = r#"
export DEBIAN_FRONTEND=noninteractive
policy=/etc/postgresql-common/createcluster.d/banyan-xtask.conf
trap 'rm -f "$policy"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "${policy%/*}"
echo 'create_main_cluster = false' >"$policy"
apt-get -o DPkg::Lock::Timeout=120 update || true
apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends postgresql
"#;

const ADVICE: &str = "PostgreSQL's server programs are missing: install them \
     (`apt-get install postgresql`), name their folder in BANYAN_PG_BIN, or leave PostgreSQL out \
     with `cargo xtask test --no-postgres`";

pub(crate) fn install() -> Result<()> {
    let Some(mut shell) = privileged_shell() else {
        bail!(ADVICE);
    };
    println!("xtask: PostgreSQL is missing; installing the package `postgresql` with apt-get");
    let status = shell
        .args(["-euc", SCRIPT])
        .stdin(Stdio::null())
        .status()
        .context(ADVICE)?;
    if !status.success() {
        bail!("apt-get could not do it ({status}). {ADVICE}");
    }
    Ok(())
}
