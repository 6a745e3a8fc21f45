//! Reads SPDX licence expressions, with the old `/` for `OR`.

/// Whether the allowed licences are enough for what the expression asks. One that cannot be read is not.
pub fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    reader.either().is_some_and(|enough| enough && reader.words.is_empty())
}

struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a dyn Fn(&str) -> bool,
}

impl Reader<'_> {
    fn skip(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    fn word(&mut self) -> Option<String> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some((*first).to_owned())
    }

    fn either(&mut self) -> Option<bool> {
        let mut enough = self.both()?;
        while self.skip("OR") {
            enough |= self.both()?;
        }
        Some(enough)
    }

    fn both(&mut self) -> Option<bool> {
        let mut enough = self.one()?;
        while self.skip("AND") {
            enough &= self.one()?;
        }
        Some(enough)
    }

    fn one(&mut self) -> Option<bool> {
        if self.skip("(") {
            let enough = self.either()?;
            return self.skip(")").then_some(enough);
        }
        let mut name = self.word()?;
        if self.skip("WITH") {
            name = format!("{name} WITH {}", self.word()?);
        }
        Some((self.allowed)(&name))
    }
}

#[test]
fn an_expression_needs_one_of_either_and_all_of_both() {
    let allowed = |name: &str| ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&name);
    let good = [
        "MIT",
        "MIT OR GPL-3.0",
        "GPL-3.0/MIT",
        "(GPL-3.0 OR ISC) AND MIT",
        "Apache-2.0 WITH LLVM-exception",
        "GPL-3.0 AND MIT OR ISC",
    ];
    let bad =
        ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "MIT MIT", "(MIT", "MIT OR", "MIT AND (ISC OR )"];
    for expression in good {
        assert!(satisfied(expression, &allowed), "{expression}");
    }
    for expression in bad {
        assert!(!satisfied(expression, &allowed), "{expression}");
    }
}
