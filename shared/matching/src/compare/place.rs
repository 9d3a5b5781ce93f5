//! The place of a record against the place of an entity.

use super::levels::Place;
use crate::normalize;
use crate::similarity::is_slip;

/// An entity's place as a shard has it.
pub(super) struct EntityPlace<'a> {
    pub(super) city: &'a [u8],
    pub(super) state: u32,
    pub(super) country: [u8; 2],
}

/// The part of two places that agrees, whose frequency tells how rare the agreement is.
pub(super) enum Agreed {
    City,
    Country,
    Nothing,
}

/// Compares two places: the best agreement of city, state and country, and what they agree in.
pub(super) fn compare_place(
    record: &normalize::Place,
    entity: &EntityPlace<'_>,
) -> (Place, Agreed) {
    let both_countries = record.country != [0, 0] && entity.country != [0, 0];
    let same_country = both_countries && record.country == entity.country;
    let other_country = both_countries && !same_country;
    let both_cities = !record.city.is_empty() && !entity.city.is_empty();
    let same_city = both_cities && record.city.as_bytes() == entity.city;
    let level = if same_city && other_country {
        Place::CityExactOtherCountry
    } else if same_city {
        Place::CityExact
    } else if other_country {
        Place::OtherCountry
    } else if both_cities && is_slip(record.city.as_bytes(), entity.city) {
        Place::CityFuzzy
    } else if record.state != 0 && record.state == entity.state {
        Place::SameState
    } else if both_cities {
        Place::SameCountryOtherCity
    } else if same_country {
        Place::SameCountry
    } else {
        Place::Null
    };
    let agreed = match level {
        Place::CityFuzzy | Place::CityExact | Place::CityExactOtherCountry => Agreed::City,
        Place::SameCountryOtherCity | Place::SameCountry | Place::SameState if same_country => {
            Agreed::Country
        }
        _ => Agreed::Nothing,
    };
    (level, agreed)
}
