//! The documents and the dependencies say what is so.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::UseTree;
use syn::visit::Visit;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All files below a folder with this ending, but for what is built or installed.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn texts(ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&root(), ending, &mut found);
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn invariants_name_existing_tests() {
    let architecture = fs::read_to_string(root().join("docs/invariants.md")).unwrap();
    let sources: String = texts(".rs").into_iter().map(|(_, text)| text).collect();
    let rows: Vec<&str> = architecture.lines().filter(|line| line.starts_with("| I")).collect();
    assert!(rows.len() >= 18, "{rows:?}");
    for row in rows {
        let names: Vec<&str> = row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            assert!(sources.contains(&format!("fn {name}")), "there is no test `{name}`: {row}");
        }
    }
}

#[test]
fn only_the_adapters_and_the_tests_use_the_aws_sdk() {
    for (path, manifest) in texts("Cargo.toml") {
        let package = path.parent().unwrap().strip_prefix(root()).unwrap().to_owned();
        let is_allowed = package == Path::new("lambdas/aws") || package.starts_with("tests");
        // The workspace's own manifest holds the versions.
        if !is_allowed && package != Path::new("") {
            assert!(!manifest.contains("aws-sdk-"), "{}", path.display());
        }
    }
}

#[test]
fn the_core_does_no_io() {
    let manifest = fs::read_to_string(root().join("lambdas/core/Cargo.toml")).unwrap();
    for io in ["tokio", "hyper", "aws-", "aws_"] {
        assert!(!manifest.contains(io), "{io}");
    }
}

#[test]
fn main_of_the_functions_is_short_and_has_no_branch() {
    let text = fs::read_to_string(root().join("lambdas/functions/src/main.rs")).unwrap();
    assert!(text.lines().count() <= 40);
    assert!(!text.contains("if ") && !text.contains("match "));
}

/// The paths that a module names from its own crate, as segments after `crate`.
struct Paths {
    module: Vec<String>,
    found: Vec<Vec<String>>,
}

impl Paths {
    /// Notes a path from inside a module's own file: `crate::…`, `super::…` and `self::…` lead into the crate.
    fn note(&mut self, segments: &[String]) {
        let mut place = match segments.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("super" | "self") => self.module.clone(),
            _ => return,
        };
        for segment in segments {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => {
                    place.pop();
                }
                other => place.push(other.to_owned()),
            }
        }
        self.found.push(place);
    }

    fn note_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &syn::Ident| before.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.note_tree(&path.tree, &with(&path.ident)),
            UseTree::Name(name) => self.note(&with(&name.ident)),
            UseTree::Rename(rename) => self.note(&with(&rename.ident)),
            UseTree::Glob(_) => self.note(before),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.note_tree(item, before)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        // Unit tests may look at anything.
        if !module.attrs.iter().any(|attribute| attribute.path().is_ident("cfg")) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.note_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note(&segments);
        syn::visit::visit_path(self, path);
    }
}

/// For each module of the core that is a file, the other files that it uses. A folder's `mod.rs` and its files are one family: neither counts
/// as a use of the other.
fn uses() -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    let source = root().join("lambdas/core/src");
    let mut paths = Vec::new();
    files(&source, ".rs", &mut paths);
    let modules: BTreeMap<Vec<String>, PathBuf> = paths
        .into_iter()
        .filter(|path| !path.ends_with("lib.rs"))
        .map(|path| {
            let name = path.strip_prefix(&source).unwrap().with_extension("");
            let parts = name.iter().map(|part| part.to_string_lossy().into_owned());
            (parts.filter(|part| part != "mod").collect(), path)
        })
        .collect();
    let used = |module: &Vec<String>, path: &PathBuf| {
        let mut paths = Paths { module: module.clone(), found: Vec::new() };
        paths.visit_file(&syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap());
        let file_of = |place: &Vec<String>| {
            (1..=place.len())
                .rev()
                .map(|length| place.iter().take(length).cloned().collect::<Vec<_>>())
                .find(|prefix| modules.contains_key(prefix))
        };
        let is_family = |other: &Vec<String>| other.starts_with(module) || module.starts_with(other);
        paths.found.iter().filter_map(file_of).filter(|other| !is_family(other)).collect()
    };
    modules.iter().map(|(module, path)| (module.clone(), used(module, path))).collect()
}

#[test]
fn core_has_no_import_cycle() {
    let mut uses = uses();
    assert!(uses.len() > 60 && uses.values().map(BTreeSet::len).sum::<usize>() > 200, "the files were not read");
    // Takes away what uses nothing, again and again. A cycle is what stays.
    loop {
        let leaves: Vec<_> = uses.iter().filter(|(_, used)| used.is_empty()).map(|(name, _)| name.clone()).collect();
        if leaves.is_empty() {
            break;
        }
        uses.retain(|name, _| !leaves.contains(name));
        uses.values_mut().for_each(|used| used.retain(|name| !leaves.contains(name)));
    }
    assert!(uses.is_empty(), "these files of the core import each other in a circle: {uses:#?}");
}
