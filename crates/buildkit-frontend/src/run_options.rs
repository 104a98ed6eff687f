//! What the client asks for the containers of all steps: network, hosts, limits.

use std::collections::BTreeMap;

use buildkit_llb::{Exec, Mount, Network};
use buildkit_proto::resources::LinuxResources;

use crate::Error;

/// What the client asks for the containers of all steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// `--network`: the network of steps that have one.
    pub network: Option<Network>,
    /// `--add-host`: names and addresses.
    pub hosts: Vec<(String, String)>,
    /// `--ulimit`: names, soft and hard limits.
    pub ulimits: Vec<(String, i64, i64)>,
    /// `--shm-size`, in bytes.
    pub shm_bytes: Option<i64>,
    /// `--cgroup-parent`; empty if not given.
    pub cgroup_parent: String,
    /// `--resource`: memory and processors. Only builders with `exec.meta.linux.resources` can be asked for them.
    pub resources: Option<LinuxResources>,
    /// The proxies that the client's build arguments name, by the lower-case names of the variables.
    pub proxies: BTreeMap<String, String>,
}

/// The variables that programs find proxies by. As build arguments they reach steps without being part of their keys.
const PROXIES: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];

impl RunOptions {
    /// Reads the client's options.
    ///
    /// # Errors
    ///
    /// An option whose value cannot be understood.
    pub(crate) fn parse(
        all: &BTreeMap<String, String>,
        build_args: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let get = |key: &str| all.get(key).map(String::as_str).filter(|value| !value.is_empty());
        let proxies = PROXIES.iter().filter_map(|name| {
            let value = build_args.get(*name).or_else(|| build_args.get(&name.to_ascii_uppercase()))?;
            Some(((*name).to_owned(), value.clone()))
        });
        Ok(Self {
            network: get("force-network-mode").map(network).transpose()?,
            hosts: list(get("add-hosts"), host)?,
            ulimits: list(get("ulimit"), ulimit)?,
            shm_bytes: get("shm-size").map(shm_size).transpose()?,
            cgroup_parent: get("cgroup-parent").unwrap_or_default().to_owned(),
            resources: resources(get)?,
            proxies: proxies.collect(),
        })
    }

    /// Gives a step what the client asks for. Steps without a network stay without.
    pub fn apply(&self, mut exec: Exec, networked: bool) -> Exec {
        exec = match (networked, self.network) {
            (false, _) => exec.network(Network::None),
            (true, network) => exec.network(network.unwrap_or(Network::Sandbox)),
        };
        if networked {
            for (name, address) in &self.hosts {
                exec = exec.extra_host(name, address);
            }
            for (name, value) in &self.proxies {
                exec = exec.proxy(name, value);
            }
        }
        for (name, soft, hard) in &self.ulimits {
            exec = exec.ulimit(name, *soft, *hard);
        }
        if let Some(bytes) = self.shm_bytes {
            exec = exec.mount(Mount::sized_tmpfs("/dev/shm", bytes));
        }
        if !self.cgroup_parent.is_empty() {
            exec = exec.cgroup_parent(&self.cgroup_parent);
        }
        if let Some(resources) = &self.resources {
            exec = exec.limits(resources.clone());
        }
        exec
    }
}

fn list<T>(text: Option<&str>, read: fn(&str) -> Result<T, Error>) -> Result<Vec<T>, Error> {
    text.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty()).map(read).collect()
}

fn network(text: &str) -> Result<Network, Error> {
    match text {
        "none" => Ok(Network::None),
        "host" => Ok(Network::Host),
        "sandbox" | "default" => Ok(Network::Sandbox),
        _ => Err(Error::user(format!("the network is `none`, `host` or `default`, not `{text}`"))),
    }
}

fn host(text: &str) -> Result<(String, String), Error> {
    let wrong = || Error::user(format!("a host is `name=address`, such as `db=10.0.0.7`, not `{text}`"));
    let (name, address) = text.split_once('=').ok_or_else(wrong)?;
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    let address: std::net::IpAddr = bare.parse().map_err(|_| wrong())?;
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(wrong());
    }
    Ok((name.to_owned(), address.to_string()))
}

fn ulimit(text: &str) -> Result<(String, i64, i64), Error> {
    let wrong =
        || Error::user(format!("a limit is `name=soft:hard`, such as `nofile=1024:4096`, not `{text}`"));
    let (name, limits) = text.split_once('=').ok_or_else(wrong)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let number = |text: &str| text.parse::<i64>().map_err(|_| wrong());
    let (soft, hard) = (number(soft)?, number(hard)?);
    if name.is_empty() || (hard != -1 && (soft > hard || soft == -1)) {
        return Err(wrong());
    }
    Ok((name.to_owned(), soft, hard))
}

fn shm_size(text: &str) -> Result<i64, Error> {
    match text.parse() {
        Ok(bytes @ 1..) => Ok(bytes),
        _ => Err(Error::user(format!("the size of /dev/shm is a number of bytes, not `{text}`"))),
    }
}

/// Memory and processors, as clients send them: numbers and lists of processors, one option for each.
fn resources<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Option<LinuxResources>, Error> {
    let number = |key: &str, least: i64| match get(key).map(|text| (text, text.parse::<i64>())) {
        None => Ok(0),
        Some((_, Ok(number))) if number >= least && number != 0 => Ok(number),
        Some((text, _)) => Err(Error::user(format!("{key} is a whole number above 0, not `{text}`"))),
    };
    let count = |key: &str| number(key, 1).map(i64::unsigned_abs);
    let set = |key: &str| match get(key) {
        Some(text) if !is_set(text) => {
            Err(Error::user(format!("{key} is a list such as `0-2,7`, not `{text}`")))
        }
        text => Ok(text.unwrap_or_default().to_owned()),
    };
    let resources = LinuxResources {
        memory: number("memory", 1)?,
        memory_swap: number("memswap", -1)?,
        cpu_shares: count("cpushares")?,
        cpu_period: count("cpuperiod")?,
        cpu_quota: number("cpuquota", 1)?,
        cpuset_cpus: set("cpusetcpus")?,
        cpuset_mems: set("cpusetmems")?,
    };
    Ok((resources != LinuxResources::default()).then_some(resources))
}

/// Whether this is a set of numbers as the kernel reads it: numbers and ranges, joined by commas.
fn is_set(text: &str) -> bool {
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok())?;
    text.split(',').all(|part| match part.split_once('-') {
        Some((first, last)) => {
            matches!((number(first), number(last)), (Some(first), Some(last)) if first <= last)
        }
        None => number(part).is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[(&str, &str)]) -> Result<RunOptions, Error> {
        let all = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        RunOptions::parse(&all, &BTreeMap::new())
    }

    #[test]
    fn reads_what_clients_send() {
        let options = parse(&[
            ("force-network-mode", "host"),
            ("add-hosts", "a=10.0.0.7,b=::1,b=[::2]"),
            ("ulimit", "nofile=1024:4096,nproc=7"),
            ("shm-size", "1048576"),
            ("cgroup-parent", "builds"),
            ("memory", "1073741824"),
            ("memswap", "-1"),
            ("cpusetcpus", "0-2,7"),
        ])
        .expect("understood");
        let host = |name: &str, address: &str| (name.to_owned(), address.to_owned());
        let expected = RunOptions {
            network: Some(Network::Host),
            hosts: vec![host("a", "10.0.0.7"), host("b", "::1"), host("b", "::2")],
            ulimits: vec![("nofile".to_owned(), 1024, 4096), ("nproc".to_owned(), 7, 7)],
            shm_bytes: Some(1 << 20),
            cgroup_parent: "builds".to_owned(),
            resources: Some(LinuxResources {
                memory: 1 << 30,
                memory_swap: -1,
                cpuset_cpus: "0-2,7".to_owned(),
                ..LinuxResources::default()
            }),
            proxies: BTreeMap::new(),
        };
        assert_eq!(options, expected);
        assert_eq!(parse(&[("shm-size", ""), ("ulimit", "")]).expect("understood"), RunOptions::default());
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for (key, value) in [
            ("force-network-mode", "hots"),
            ("add-hosts", "a"),
            ("add-hosts", "a=b"),
            ("add-hosts", "=10.0.0.7"),
            ("ulimit", "nofile"),
            ("ulimit", "nofile=x"),
            ("ulimit", "nofile=9:8"),
            ("shm-size", "-1"),
            ("shm-size", "1g"),
            ("memory", "2g"),
            ("memory", "0"),
            ("memory", "-1"),
            ("memswap", "-2"),
            ("cpushares", "x"),
            ("cpuperiod", "-5"),
            ("cpuquota", "99999999999999999999"),
            ("cpusetcpus", "2-1"),
            ("cpusetcpus", "0,"),
            ("cpusetmems", "+1"),
        ] {
            assert!(parse(&[(key, value)]).is_err(), "{key}={value} is taken");
        }
    }

    #[test]
    fn proxies_come_by_either_name() {
        let args = [("HTTP_PROXY", "http://a"), ("no_proxy", "b")];
        let args = args.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let options = RunOptions::parse(&BTreeMap::new(), &args).expect("understood");
        let proxies: Vec<_> = options.proxies.into_iter().collect();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(proxies, [pair("http_proxy", "http://a"), pair("no_proxy", "b")]);
    }
}
