//! Programs that run in a container.

use buildkit_proto::resources::LinuxResources;
use buildkit_proto::{caps::llb, pb};

use crate::op::{Draft, Inputs};
use crate::{Meta, Output, Platform};

/// What network a program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// A network of its own.
    Sandbox,
    /// The builder's network; needs an entitlement.
    Host,
    /// None but loopback.
    None,
}

/// How a program is confined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// As usual.
    Sandbox,
    /// Not at all; needs an entitlement.
    Insecure,
}

/// Who may use a cache mount at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Everybody.
    Shared,
    /// A second user gets a directory of its own.
    Private,
    /// A second user waits.
    Locked,
}

/// A directory or file that a program sees.
#[derive(Clone, Debug)]
pub struct Mount {
    pb: pb::Mount,
    input: Output,
    keep: bool,
    caps: Vec<&'static str>,
}

impl Mount {
    fn new(dest: &str, kind: pb::MountType, cap: &'static str) -> Self {
        let pb = pb::Mount { dest: dest.to_owned(), mount_type: kind as i32, ..pb::Mount::default() };
        Self { pb, input: Output::scratch(), keep: false, caps: vec![cap] }
    }

    /// A writable tree, whose changed form is an output of the op.
    pub fn bind(dest: &str, input: &Output) -> Self {
        let mount = Self::new(dest, pb::MountType::Bind, llb::EXEC_MOUNT_BIND);
        Self { input: input.clone(), keep: true, ..mount }
    }

    /// An empty writable tree, which is an output of the op.
    pub fn scratch(dest: &str) -> Self {
        Self::bind(dest, &Output::scratch())
    }

    /// A directory that stays on the builder.
    pub fn cache(dest: &str, id: &str, sharing: Sharing) -> Self {
        let mut mount = Self::new(dest, pb::MountType::Cache, llb::EXEC_MOUNT_CACHE);
        let sharing = match sharing {
            Sharing::Shared => pb::CacheSharingOpt::Shared,
            Sharing::Private => pb::CacheSharingOpt::Private,
            Sharing::Locked => pb::CacheSharingOpt::Locked,
        };
        mount.pb.cache_opt = Some(pb::CacheOpt { id: id.to_owned(), sharing: sharing as i32 });
        mount.caps.push(llb::EXEC_MOUNT_CACHE_SHARING);
        mount
    }

    /// A directory in memory.
    pub fn tmpfs(dest: &str) -> Self {
        let mut mount = Self::new(dest, pb::MountType::Tmpfs, llb::EXEC_MOUNT_TMPFS);
        mount.pb.tmpfs_opt = Some(pb::TmpfsOpt::default());
        mount
    }

    /// A directory in memory that holds at most `bytes`.
    pub fn sized_tmpfs(dest: &str, bytes: i64) -> Self {
        let mut mount = Self::tmpfs(dest);
        mount.pb.tmpfs_opt = Some(pb::TmpfsOpt { size: bytes });
        mount.caps.push(llb::EXEC_MOUNT_TMPFS_SIZE);
        mount
    }

    /// A secret of the client as a file that only root can read.
    pub fn secret(dest: &str, id: &str, optional: bool) -> Self {
        let mut mount = Self::new(dest, pb::MountType::Secret, llb::EXEC_MOUNT_SECRET);
        mount.pb.secret_opt =
            Some(pb::SecretOpt { id: id.to_owned(), mode: 0o400, optional, ..pb::SecretOpt::default() });
        mount
    }

    /// The socket of an ssh agent of the client.
    pub fn ssh(dest: &str, id: &str, optional: bool) -> Self {
        let mut mount = Self::new(dest, pb::MountType::Ssh, llb::EXEC_MOUNT_SSH);
        mount.pb.ssh_opt =
            Some(pb::SshOpt { id: id.to_owned(), mode: 0o600, optional, ..pb::SshOpt::default() });
        mount
    }

    /// Cannot be written to, and is no output.
    pub fn readonly(mut self) -> Self {
        self.pb.readonly = true;
        self.keep = false;
        self
    }

    /// Can be written to; what is written is thrown away.
    pub fn no_output(mut self) -> Self {
        self.keep = false;
        self.caps.push(llb::EXEC_MOUNT_BIND_READ_WRITE_NO_OUTPUT);
        self
    }

    /// Only this part of the input.
    pub fn selector(mut self, path: &str) -> Self {
        self.pb.selector = path.to_owned();
        self.caps.push(llb::EXEC_MOUNT_SELECTOR);
        self
    }

    /// Secrets and sockets come after all other mounts, as in Go's client.
    fn order(&self) -> (i32, &str) {
        match self.pb.mount_type() {
            pb::MountType::Secret => (1, ""),
            pb::MountType::Ssh => (2, ""),
            _ => (0, &self.pb.dest),
        }
    }
}

/// An exec op.
#[derive(Debug)]
pub struct Exec {
    op: pb::ExecOp,
    run: pb::Meta,
    platform: Option<pb::Platform>,
    mounts: Vec<Mount>,
    caps: Vec<&'static str>,
    limits: Option<LinuxResources>,
    meta: Meta,
}

impl Exec {
    /// Runs a program with arguments.
    pub fn new(args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let run = pb::Meta {
            args: args.into_iter().map(Into::into).collect(),
            cwd: "/".to_owned(),
            remove_mount_stubs_recursive: true,
            ..pb::Meta::default()
        };
        Self {
            op: pb::ExecOp::default(),
            run,
            platform: None,
            mounts: Vec::new(),
            caps: vec![llb::EXEC_META_BASE, llb::EXEC_META_SETS_DEFAULT_PATH],
            limits: None,
            meta: Meta::default(),
        }
    }

    /// Adds an environment variable. The order is part of the cache key.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.run.env.push(format!("{name}={value}"));
        self
    }

    /// The working directory.
    pub fn cwd(mut self, path: &str) -> Self {
        self.run.cwd = path.to_owned();
        self
    }

    /// Who runs it, by name or number.
    pub fn user(mut self, user: &str) -> Self {
        self.run.user = user.to_owned();
        self
    }

    /// The name of the container's host.
    pub fn hostname(mut self, name: &str) -> Self {
        self.run.hostname = name.to_owned();
        self
    }

    /// Adds a line of `/etc/hosts`.
    pub fn extra_host(mut self, host: &str, ip: &str) -> Self {
        self.run.extra_hosts.push(pb::HostIp { host: host.to_owned(), ip: ip.to_owned() });
        self
    }

    /// Sets one of the proxy variables, by its lower-case name. They are no part of the cache key.
    pub fn proxy(mut self, name: &str, value: &str) -> Self {
        let proxies = self.run.proxy_env.get_or_insert_default();
        let place = match name {
            "http_proxy" => &mut proxies.http_proxy,
            "https_proxy" => &mut proxies.https_proxy,
            "ftp_proxy" => &mut proxies.ftp_proxy,
            "no_proxy" => &mut proxies.no_proxy,
            _ => &mut proxies.all_proxy,
        };
        *place = value.to_owned();
        self.caps.push(llb::EXEC_META_PROXY);
        self
    }

    /// The control group that the container's lies in.
    pub fn cgroup_parent(mut self, name: &str) -> Self {
        self.run.cgroup_parent = name.to_owned();
        self.caps.push(llb::EXEC_META_CGROUP_PARENT);
        self
    }

    /// Sets a resource limit.
    pub fn ulimit(mut self, name: &str, soft: i64, hard: i64) -> Self {
        self.run.ulimit.push(pb::Ulimit { name: name.to_owned(), soft, hard });
        self.caps.push(llb::EXEC_META_ULIMIT);
        self
    }

    /// What the container gets at most. Two equal ops with different limits are one; the first one's count.
    pub fn limits(mut self, limits: LinuxResources) -> Self {
        self.limits = Some(limits);
        self.caps.push(llb::EXEC_META_LINUX_RESOURCES);
        self
    }

    /// Gives the program a device by its CDI name, such as `nvidia.com/gpu=all`.
    pub fn device(mut self, name: &str, optional: bool) -> Self {
        self.op.cdi_devices.push(pb::CdiDevice { name: name.to_owned(), optional });
        self.caps.push(llb::EXEC_META_CDI);
        self
    }

    /// Which network the program has.
    pub fn network(mut self, network: Network) -> Self {
        self.op.network = match network {
            Network::Sandbox => pb::NetMode::Unset,
            Network::Host => pb::NetMode::Host,
            Network::None => pb::NetMode::None,
        } as i32;
        if network != Network::Sandbox {
            self.caps.push(llb::EXEC_META_NETWORK);
        }
        self
    }

    /// How the program is confined.
    pub fn security(mut self, security: Security) -> Self {
        if security == Security::Insecure {
            self.op.security = pb::SecurityMode::Insecure as i32;
            self.caps.push(llb::EXEC_META_SECURITY);
        }
        self
    }

    /// Gives the program a secret in an environment variable.
    pub fn secret_env(mut self, id: &str, name: &str, optional: bool) -> Self {
        self.op.secretenv.push(pb::SecretEnv { id: id.to_owned(), name: name.to_owned(), optional });
        self.caps.extend([llb::EXEC_MOUNT_SECRET, llb::EXEC_SECRET_ENV]);
        self
    }

    /// What the program runs on.
    pub fn platform(mut self, platform: &Platform) -> Self {
        self.platform = Some(platform.to_pb());
        self
    }

    /// Adds a mount.
    pub fn mount(mut self, mount: Mount) -> Self {
        self.mounts.push(mount);
        self
    }

    /// Sets name and place.
    pub fn meta(mut self, meta: Meta) -> Self {
        self.meta = meta;
        self
    }

    /// Finishes the op.
    pub fn run(mut self) -> ExecOutputs {
        let problem = self.problem();
        self.mounts.sort_by(|a, b| a.order().cmp(&b.order()));
        let (mut inputs, mut outputs) = (Inputs::default(), Vec::new());
        for mount in &mut self.mounts {
            mount.pb.input = inputs.index(&mount.input);
            mount.pb.output = match (mount.keep, mount.order().0) {
                (true, _) => outputs.len() as i64,
                (false, 0) => -1,
                // Go leaves the field at its default for secrets and sockets.
                (false, _) => 0,
            };
            if mount.keep {
                outputs.push(mount.pb.dest.clone());
            }
            self.caps.extend(&mount.caps);
        }
        self.op.mounts = self.mounts.into_iter().map(|mount| mount.pb).collect();
        self.op.meta = Some(self.run);
        let draft = Draft {
            op: pb::op::Op::Exec(self.op),
            inputs,
            platform: self.platform,
            caps: self.caps,
            meta: Meta { limits: self.limits, ..self.meta },
            problem,
        };
        ExecOutputs { output: draft.finish(), dests: outputs }
    }

    fn problem(&self) -> Option<String> {
        if self.run.args.first().is_none_or(String::is_empty) {
            return Some("an exec needs a program".to_owned());
        }
        let mut dests: Vec<_> = self.mounts.iter().map(|mount| mount.pb.dest.as_str()).collect();
        dests.sort_unstable();
        if let Some(dest) = dests.iter().find(|dest| !dest.starts_with('/')) {
            return Some(format!("the mount `{dest}` is not an absolute path"));
        }
        if let Some(pair) = dests.windows(2).find(|pair| pair[0] == pair[1]) {
            return Some(format!("two mounts at `{}`", pair[0]));
        }
        let is_root = |mount: &Mount| mount.pb.dest == "/" && mount.pb.mount_type() == pb::MountType::Bind;
        match self.mounts.iter().find(|mount| is_root(mount)) {
            None => Some("an exec needs a tree mounted at `/`".to_owned()),
            // The daemon would mount the tree itself, which nothing can be mounted into.
            Some(root) if !root.keep && !root.pb.readonly => {
                Some("the tree at `/` is either an output or read-only".to_owned())
            }
            Some(_) => None,
        }
    }
}

/// What an exec op leaves behind.
#[derive(Debug)]
pub struct ExecOutputs {
    output: Output,
    dests: Vec<String>,
}

impl ExecOutputs {
    /// The root tree after the program ran; scratch where it is not kept.
    pub fn root(&self) -> Output {
        self.mount("/").unwrap_or_default()
    }

    /// The tree mounted at `dest` after the program ran; `None` where it is not kept.
    pub fn mount(&self, dest: &str) -> Option<Output> {
        let index = self.dests.iter().position(|have| have == dest)?;
        Some(self.output.with_index(index as i64))
    }
}
