//! The image's configuration. Source: the OCI image specification, and Docker's additions to it.

use std::collections::BTreeMap;

use buildkit_llb::Platform;
use serde_json::{Map, Value, json};

/// What a frontend says about an image; everything else comes from the base image's configuration.
#[derive(Clone, Debug, Default)]
pub struct ImageConfig {
    /// The whole environment, in order; the base image's own is replaced.
    pub env: Vec<(String, String)>,
    /// Labels to add; later ones win over the base image's and earlier ones.
    pub labels: Vec<(String, String)>,
    /// The program; setting it drops the base image's default arguments, as in a Dockerfile.
    pub entrypoint: Option<Vec<String>>,
    /// Its default arguments.
    pub cmd: Option<Vec<String>>,
    /// Where it starts.
    pub working_dir: Option<String>,
    /// Who runs it.
    pub user: Option<String>,
    /// Directories that containers keep outside of the image, beside the base image's.
    pub volumes: Vec<String>,
    /// Ports with their protocols, such as `80/tcp`, beside the base image's.
    pub exposed_ports: Vec<String>,
    /// What ends the program.
    pub stop_signal: Option<String>,
    /// Docker's `Healthcheck`, as it stands in configurations.
    pub healthcheck: Option<Value>,
}

impl ImageConfig {
    /// The configuration of an image for `platform` made from one whose configuration is `base` (null for none).
    pub fn over(&self, base: &Value, platform: &Platform) -> Value {
        let mut image = base.as_object().cloned().unwrap_or_default();
        // The time of the base image is not this one's; the exporter writes the layers.
        image.remove("created");
        image.remove("rootfs");
        image.insert("os".to_owned(), json!(platform.os));
        image.insert("architecture".to_owned(), json!(platform.architecture));
        image.remove("variant");
        if !platform.variant.is_empty() {
            image.insert("variant".to_owned(), json!(platform.variant));
        }
        let mut config = image.get("config").and_then(Value::as_object).cloned().unwrap_or_default();
        self.fill(&mut config);
        image.insert("config".to_owned(), Value::Object(config));
        Value::Object(image)
    }

    fn fill(&self, config: &mut Map<String, Value>) {
        let env: Vec<_> = self.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        config.insert("Env".to_owned(), json!(env));
        if let Some(entrypoint) = &self.entrypoint {
            config.insert("Entrypoint".to_owned(), json!(entrypoint));
            config.remove("Cmd");
        }
        if let Some(cmd) = &self.cmd {
            config.insert("Cmd".to_owned(), json!(cmd));
        }
        if let Some(dir) = &self.working_dir {
            config.insert("WorkingDir".to_owned(), json!(dir));
        }
        if let Some(user) = &self.user {
            config.insert("User".to_owned(), json!(user));
        }
        if let Some(signal) = &self.stop_signal {
            config.insert("StopSignal".to_owned(), json!(signal));
        }
        if let Some(healthcheck) = &self.healthcheck {
            config.insert("Healthcheck".to_owned(), healthcheck.clone());
        }
        for (key, names) in [("Volumes", &self.volumes), ("ExposedPorts", &self.exposed_ports)] {
            add_names(config, key, names);
        }
        let mut labels: BTreeMap<String, Value> = match config.get("Labels") {
            Some(Value::Object(labels)) => labels.clone().into_iter().collect(),
            _ => BTreeMap::new(),
        };
        labels.extend(self.labels.iter().map(|(key, value)| (key.clone(), json!(value))));
        config.insert("Labels".to_owned(), json!(labels));
    }
}

/// Adds to one of the sets that configurations write as mappings to empty mappings.
fn add_names(config: &mut Map<String, Value>, key: &str, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let mut set = config.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
    set.extend(names.iter().map(|name| (name.clone(), json!({}))));
    config.insert(key.to_owned(), Value::Object(set));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_it_does_not_set() {
        let base = json!({
            "created": "2020-01-01T00:00:00Z", "architecture": "arm64", "variant": "v8", "author": "x",
            "config": {"Cmd": ["bash"], "User": "node", "StopSignal": "SIGINT", "Labels": {"a": "1", "b": "1"}},
            "rootfs": {"type": "layers"}, "history": [{"created_by": "base"}]
        });
        let config = ImageConfig {
            env: vec![("A".into(), "b=c".into())],
            labels: vec![("b".into(), "2".into())],
            entrypoint: Some(vec!["python3".into()]),
            ..ImageConfig::default()
        };
        let platform = Platform { os: "linux".into(), architecture: "amd64".into(), ..Platform::default() };
        let expected = json!({
            "architecture": "amd64", "os": "linux", "author": "x", "history": [{"created_by": "base"}],
            "config": {"Entrypoint": ["python3"], "Env": ["A=b=c"], "User": "node", "StopSignal": "SIGINT",
                       "Labels": {"a": "1", "b": "2"}}
        });
        assert_eq!(config.over(&base, &platform), expected);
    }

    #[test]
    fn adds_to_sets_and_replaces_the_rest() {
        let base = json!({"config": {"Volumes": {"/a": {}}, "StopSignal": "SIGINT"}});
        let config = ImageConfig {
            volumes: vec!["/b".into()],
            exposed_ports: vec!["80/tcp".into()],
            stop_signal: Some("SIGTERM".into()),
            healthcheck: Some(json!({"Test": ["CMD", "true"]})),
            ..ImageConfig::default()
        };
        let image = config.over(&base, &Platform::default());
        assert_eq!(image["config"]["Volumes"], json!({"/a": {}, "/b": {}}));
        assert_eq!(image["config"]["ExposedPorts"], json!({"80/tcp": {}}));
        assert_eq!(image["config"]["StopSignal"], "SIGTERM");
        assert_eq!(image["config"]["Healthcheck"]["Test"][1], "true");
    }

    #[test]
    fn needs_no_base() {
        let image = ImageConfig::default().over(&Value::Null, &Platform::default());
        assert!(image.get("architecture").is_some() && image.get("os").is_some());
    }
}
