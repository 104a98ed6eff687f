//! `system:` what belongs to the distribution: packages, time zone, locale, users. This branch alone owns dpkg's
//! database, users and `/etc`.

use crate::diagnostic::Problems;
use crate::plan::{Mount, Planner, RUN_DIR, RunResult, Script, StepId, TextFile};
use crate::resolve::{BaseFacts, USERS};
use crate::spec::{
    At, DebianPackage, Fields, ImagePath, Locale, Node, Span, TimeZone, UserId, UserName, boolean, checked,
    items,
};

const SETTINGS: Script = Script { name: "settings.sh", text: include_str!("scripts/settings.sh") };

/// What the spec asks the distribution for.
#[derive(Debug)]
pub struct System {
    packages: Vec<At<DebianPackage>>,
    timezone: Option<At<TimeZone>>,
    locale: Option<At<Locale>>,
    users: Vec<User>,
    slim: bool,
    span: Span,
}

/// Someone besides root, with a group of the same name and a home.
#[derive(Debug)]
struct User {
    name: At<UserName>,
    id: At<UserId>,
    shell: Option<At<ImagePath>>,
}

impl System {
    /// A spec without the field: only what the components need is installed.
    pub fn empty(span: Span) -> Self {
        let (packages, users) = (Vec::new(), Vec::new());
        Self { packages, timezone: None, locale: None, users, slim: false, span: span.first() }
    }

    /// Reads `system:`.
    pub fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("`system`", node, problems)?;
        let mut packages = match fields.take("packages") {
            Some(node) => items("`packages`", node, problems, |node, problems| {
                checked("a package", node, problems, DebianPackage::parse)
            }),
            None => Vec::new(),
        };
        let timezone = fields.take("timezone");
        let timezone = timezone.and_then(|n| checked("a time zone", n, problems, TimeZone::parse));
        let locale = fields.take("locale").and_then(|n| checked("a locale", n, problems, Locale::parse));
        let users = match fields.take("users") {
            Some(node) => items("`users`", node, problems, User::decode),
            None => Vec::new(),
        };
        let slim = fields.take("slim").and_then(|n| boolean("`slim`", n, problems));
        fields.finish(problems);
        packages.sort_by(|a, b| a.value.cmp(&b.value));
        for pair in packages.windows(2).filter(|pair| pair[0] == pair[1]) {
            let message = format!("the package `{}` is here twice", pair[1]);
            problems.error_with_help(
                pair[1].span,
                message,
                format!("it is also at {}", pair[0].span.place()),
            );
        }
        refuse_equal_users(&users, problems);
        let slim = slim.is_some_and(|slim| slim.value);
        Some(Self { packages, timezone, locale, users, slim, span: node.span })
    }

    /// The files of the base image that tell whether it can be set up so.
    pub fn inspects(&self) -> Option<String> {
        (!self.users.is_empty()).then(|| USERS.to_owned())
    }

    /// Reports users whose name or number the base image has already, so that they cannot be added.
    pub fn check_users(&self, facts: &BaseFacts, problems: &mut Problems) {
        let taken = facts.users();
        for user in &self.users {
            for (name, number) in taken.iter().filter(|(name, number)| user.is(name) || user.has(*number)) {
                let help = match (user.is(name), user.has(*number)) {
                    (true, true) => format!("leave the entry out: `user: {name}` needs none"),
                    (true, false) => format!("take another name, or `user: {name}` without an entry"),
                    _ => format!(
                        "take another number, such as {}, or `user: {name}` without an entry",
                        self.free_number(&taken)
                    ),
                };
                let span = if user.is(name) { user.name.span } else { user.id.span };
                let message = format!("the base image has the user `{name}` with number {number}");
                problems.error_with_help(span, message, help);
            }
        }
    }

    /// The first number that nobody has. Images begin to count people at 1000, and many have one.
    fn free_number(&self, taken: &[(&str, u32)]) -> u32 {
        let is_free = |number: &u32| {
            taken.iter().all(|(_, have)| have != number) && !self.users.iter().any(|user| user.has(*number))
        };
        (1001..).find(is_free).unwrap_or_default()
    }

    /// Variables of the image that go with the settings.
    pub fn env(&self) -> Vec<(String, String)> {
        let timezone = self.timezone.iter().map(|zone| ("TZ".to_owned(), zone.to_string()));
        let locale = self.locale.iter().map(|locale| ("LANG".to_owned(), locale.to_string()));
        timezone.chain(locale).collect()
    }

    /// Adds the branch: packages, those of the components among them, then the `owners` of what the others need, and
    /// settings. Gives the root that all trees are laid on.
    pub fn plan(&self, owners: &[(String, StepId)], planner: &mut Planner) -> StepId {
        let mut packages: Vec<_> = self.packages.iter().map(|package| package.to_string()).collect();
        packages.extend(self.timezone.iter().map(|_| "tzdata".to_owned()));
        packages.extend(self.locale.iter().map(|_| "locales".to_owned()));
        packages.extend(planner.all_provided().iter().flat_map(|p| p.packages.clone()));
        packages.sort();
        packages.dedup();
        let base = planner.base();
        let system = planner.apt("[system] install packages", base, packages, &[], self.slim, self.span);
        // What is only known once the components are built does not lay all the others anew.
        let system = match owners {
            [] => system,
            _ => {
                planner.apt("[libraries] install packages", system, Vec::new(), owners, self.slim, self.span)
            }
        };
        self.plan_settings(system, planner)
    }

    fn plan_settings(&self, root: StepId, planner: &mut Planner) -> StepId {
        if self.timezone.is_none() && self.locale.is_none() && self.users.is_empty() {
            return root;
        }
        let text = self.users.iter().map(User::line).collect();
        let file = TextFile { path: "/users".to_owned(), mode: 0o644, text };
        let users = planner.files("[system] users".to_owned(), vec![file]);
        let mut run = planner.script(&SETTINGS, root, Vec::new());
        let at = format!("{RUN_DIR}/settings");
        let value = |text: Option<String>| text.unwrap_or_default();
        run.env.extend([
            ("TIMEZONE".to_owned(), value(self.timezone.as_ref().map(ToString::to_string))),
            ("LOCALE".to_owned(), value(self.locale.as_ref().map(ToString::to_string))),
            ("USERS".to_owned(), format!("{at}/users")),
        ]);
        run.mounts.push(Mount { at, from: users, part: "/".to_owned() });
        planner.fix_date(&mut run);
        run.result = RunResult::Root;
        planner.run("[system] set up".to_owned(), self.span, run)
    }
}

impl User {
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::open("a user", node, problems)?;
        let name = fields.require("name", "node", problems);
        let name = name.and_then(|n| checked("a user's name", n, problems, UserName::parse));
        let id = fields.require("id", "1001", problems);
        let id = id.and_then(|n| checked("a user's number", n, problems, UserId::parse));
        let shell = fields.take("shell").and_then(|n| checked("a shell", n, problems, ImagePath::parse));
        fields.finish(problems);
        Some(Self { name: name?, id: id?, shell })
    }

    fn is(&self, name: &str) -> bool {
        self.name.value.as_str() == name
    }

    fn has(&self, number: u32) -> bool {
        self.id.value.number() == number
    }

    /// The user as the script reads it.
    fn line(&self) -> String {
        let shell = self.shell.as_ref().map_or("/bin/sh", |shell| shell.value.as_str());
        format!("{}:{}:{shell}\n", self.name, self.id)
    }
}

fn refuse_equal_users(users: &[User], problems: &mut Problems) {
    for (i, user) in users.iter().enumerate() {
        if let Some(first) = users[..i].iter().find(|u| u.name == user.name || u.id == user.id) {
            let message = format!("the user `{}` has a name or number that is taken", user.name);
            problems.error_with_help(
                user.name.span,
                message,
                format!("it is taken at {}", first.name.span.place()),
            );
        }
    }
}
