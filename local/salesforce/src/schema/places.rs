//! The states and countries of an org that keeps them as lists: beside each name stands its code.

/// A country: its code, its name, and its states with theirs.
pub(crate) struct Country {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) states: &'static [(&'static str, &'static str)],
}

/// Every country of the lists.
pub(crate) const COUNTRIES: [Country; 3] = [
    Country { code: "DE", name: "Germany", states: &[("BY", "Bavaria"), ("BE", "Berlin")] },
    Country {
        code: "US",
        name: "United States",
        states: &[("CA", "California"), ("NY", "New York"), ("TX", "Texas")],
    },
    Country { code: "GB", name: "United Kingdom", states: &[] },
];

/// The name of a country's or of a state's code.
pub(crate) fn name_of(code: &str) -> Option<&'static str> {
    let mut all = COUNTRIES.iter().flat_map(|country| {
        std::iter::once((country.code, country.name)).chain(country.states.iter().copied())
    });
    all.find(|(own, _)| *own == code).map(|(_, name)| name)
}

/// A country by its code or its name, in any case.
pub(crate) fn country(word: &str) -> Option<&'static Country> {
    COUNTRIES.iter().find(|country| is_either(word, (country.code, country.name)))
}

impl Country {
    /// Code and name of one of its states, by either of them in any case.
    pub(crate) fn state(&self, word: &str) -> Option<(&'static str, &'static str)> {
        self.states.iter().copied().find(|state| is_either(word, *state))
    }
}

fn is_either(word: &str, (code, name): (&str, &str)) -> bool {
    word.eq_ignore_ascii_case(code) || word.eq_ignore_ascii_case(name)
}
