//! Places: city, state and country as one value.

use serde::{Deserialize, Serialize};

use super::filler::fold_value;
use crate::lists::{city_name, country_code, states};
use crate::text::{collapse_umlauts, hash32};

/// A place, normalised. Missing parts are empty or 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The city under its usual name, folded.
    pub city: String,
    /// The hash of country and state, 0 for none.
    pub state: u32,
    /// The ISO 3166-1 code, zeros for none.
    pub country: [u8; 2],
}

impl Place {
    /// Reads the three fields of a place.
    #[must_use]
    pub fn parse(city: Option<&str>, state: Option<&str>, country: Option<&str>) -> Self {
        let mut place = Self::default();
        if let Some(folded) = fold_value(country) {
            place.country = country_code(&folded.replace(' ', "")).unwrap_or_default();
        }
        let known_country = place.country;
        if let Some(folded) = fold_value(state) {
            let all = states(&folded);
            let found = all
                .iter()
                .find(|state| state.country == known_country)
                .or_else(|| all.first().filter(|_| known_country == [0, 0]));
            place.state = found.map_or_else(
                || hash32(folded.as_bytes()),
                |state| {
                    hash32(state.code.as_bytes())
                        ^ u32::from(state.country[0]) << 8
                        ^ u32::from(state.country[1])
                },
            );
            if let Some(state) = found {
                place.country = state.country;
            }
        }
        if let Some(city) = fold_value(city) {
            let city = usual_city(&city);
            // What is left may say nothing: `Greater n/a`.
            if fold_value(Some(&city)).is_some() {
                place.city = city;
            }
        }
        place
    }

    /// The hash of the city, 0 for none.
    #[must_use]
    pub fn city_key(&self) -> u32 {
        if self.city.is_empty() { 0 } else { hash32(self.city.as_bytes()) }
    }
}

/// `Greater Boston Area`, `Boston, MA` and `Boston` are one city.
fn usual_city(folded: &str) -> String {
    let mut city = folded;
    for before in ["greater ", "metro ", "city of ", "metropolitan "] {
        city = city.strip_prefix(before).unwrap_or(city);
    }
    for after in [
        " metropolitan area",
        " bay area",
        " metro area",
        " city area",
        " area",
        " region",
        " metropolitan",
    ] {
        city = city.strip_suffix(after).unwrap_or(city);
    }
    if let Some(name) = city_name(city) {
        return name.to_owned();
    }
    let unsaint = if let Some(rest) = city.strip_prefix("st ") {
        format!("saint {rest}")
    } else {
        city.to_owned()
    };
    let collapsed: Vec<String> = unsaint.split(' ').map(collapse_umlauts).collect();
    let joined = collapsed.join(" ");
    city_name(&joined).map_or(joined, ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_one_place_are_one() {
        let place = |city: &str, state: &str, country: &str| {
            Place::parse(Some(city), Some(state), Some(country))
        };
        assert_eq!(
            place("NYC", "NY", "USA"),
            place("New York City", "New York", "United States of America")
        );
        assert_eq!(place("München", "", "Deutschland"), place("Munich", "", "DE"));
        assert_eq!(place("Greater Boston Area", "MA", ""), place("Boston", "Massachusetts", "US"));
        assert_eq!(place("Perth", "WA", "Australia").country, *b"AU");
        assert_eq!(place("N/A", "-", "Narnia"), Place::default());
        assert_eq!(place("Greater N/A Area", "", ""), Place::default());
        assert_eq!(place("Greater nä", "", ""), Place::default());
        assert_eq!(Place::parse(None, None, None).city_key(), 0);
    }

    proptest! {
        #[test]
        fn a_normal_city_is_its_own_normal_form(
            city in "(Greater |St |San )?[A-Za-zäöü]{2,9}( [a-z]{3,7})?( Area)?",
        ) {
            let once = Place::parse(Some(&city), None, None).city;
            let twice = Place::parse(Some(&once), None, None).city;
            prop_assert_eq!(twice, once);
        }
    }
}
