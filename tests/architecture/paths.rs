//! Finds the paths of a file that start at `crate`, `self` or `super`, and resolves them from the root.

use super::tokens::{self, Token};

/// A path that leads to a module of the crate's root.
pub struct Absolute {
    /// The root's module that it leads to.
    pub first: String,
    pub line: usize,
}

/// All such paths in a text that is this module's, groups opened up, `use` or not.
pub fn absolute(text: &str, module: &[String]) -> Vec<Absolute> {
    let tokens = tokens::of(text);
    let mut finder = Finder { tokens: &tokens, found: Vec::new() };
    // Modules written inside the file, each with the depth of braces at which it ends.
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.text {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inline.pop_if(|(_, end)| *end == depth);
            }
            "mod" if finder.text(at + 2) == "{" => inline.push((finder.text(at + 1).to_owned(), depth)),
            "crate" | "self" | "super" if finder.text(at + 1) == "::" => {
                let mut here = module.to_vec();
                here.extend(inline.iter().map(|(name, _)| name.clone()));
                at = finder.path(at, here.clone(), &here);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    finder.found
}

struct Finder<'a> {
    tokens: &'a [Token<'a>],
    found: Vec<Absolute>,
}

impl Finder<'_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    /// Follows one path from the module `from`; gives the place behind it. `here` is the module it stands in.
    fn path(&mut self, mut at: usize, mut from: Vec<String>, here: &[String]) -> usize {
        loop {
            let Some(token) = self.tokens.get(at) else { return at };
            match token.text {
                "crate" => from.clear(),
                "self" => {}
                "super" => {
                    from.pop();
                }
                "{" => return self.group(at + 1, &from, here),
                name => {
                    if from.is_empty() {
                        self.found.push(Absolute { first: name.to_owned(), line: token.line });
                    }
                    from.push(name.to_owned());
                }
            }
            if self.text(at + 1) != "::" {
                return at + 1;
            }
            at += 2;
        }
    }

    fn group(&mut self, mut at: usize, from: &[String], here: &[String]) -> usize {
        while !matches!(self.text(at), "" | "}") {
            at = self.path(at, from.to_vec(), here);
            // Over `as name` and the comma.
            while !matches!(self.text(at), "" | "}" | ",") {
                at += 1;
            }
            if self.text(at) == "," {
                at += 1;
            }
        }
        at + 1
    }
}
