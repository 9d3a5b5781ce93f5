//! Finishing a shard: its sections in file order behind their header.
#![allow(
    clippy::cast_possible_truncation,
    reason = "a shard holds under 2^32 entities and bytes; over that it is refused"
)]

use smallvec::SmallVec;

use super::build::{Employer, ShardBuilder};
use super::file::{HEADER_BYTES, Header, MAGIC, SECTIONS};
use super::postings;
use super::view::{put_employer, put_employments, put_rare};
use crate::blocking::EmployerKeys;
use crate::codec::{Put, column};
use crate::entity::EntityKind;
use crate::normalize::CompanyName;
use crate::statistics::Statistics;
use crate::text::{hash32, hash64};

impl ShardBuilder {
    /// The shard file.
    #[must_use]
    pub fn finish(self, statistics: &Statistics) -> Vec<u8> {
        let resolved = self.employer_keys(Some(statistics));
        let (employers, employer_words) = self.employer_sections(&resolved, statistics);
        let (title_offsets, titles) = self.title_section();
        let entities = self.len() as u32;
        let blocks = postings::index(&self, &resolved, statistics);
        let (row_offsets, rows) = self.row_sections();
        let sections = [
            vec![row_offsets],
            vec![rows],
            vec![employers],
            vec![employer_words],
            vec![title_offsets],
            vec![titles],
            vec![blocks.starts],
            blocks.postings,
        ];
        let header = Header {
            kind: self.kind,
            number: self.number,
            count: self.count,
            entities,
            bucket_bits: blocks.bits,
            statistics: statistics.fingerprint(),
        };
        // A shard's entities may take hundreds of megabytes: they go before the file is made.
        drop(self);
        assemble(&header, sections)
    }

    /// Rows with their employments behind them, so that a candidate is read from one place.
    fn row_sections(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut offsets, mut bytes) = (
            Vec::with_capacity(self.row_offsets.len()),
            Vec::with_capacity(self.rows.len() + self.employments.len() * 4),
        );
        offsets.push(0);
        for ordinal in 0..self.len() {
            bytes.extend_from_slice(self.row(ordinal));
            if self.kind == EntityKind::Person {
                put_employments(&mut bytes, self.held(ordinal));
                if let Some(rare) = self.rare(ordinal) {
                    put_rare(&mut bytes, rare.generation, &rare.extensions);
                }
            }
            offsets.push(bytes.len() as u32);
        }
        (column(&offsets), bytes)
    }

    fn employer_sections(
        &self,
        resolved: &[EmployerKeys],
        statistics: &Statistics,
    ) -> (Vec<u8>, Vec<u8>) {
        let (mut fields, mut words) = (Vec::new(), Vec::new());
        for (Employer { company, company_id, id }, keys) in
            self.employers.values.iter().zip(resolved)
        {
            let acronym = company
                .as_ref()
                .and_then(CompanyName::acronym)
                .map_or(0, |acronym| hash32(acronym.as_bytes()));
            let slugs: SmallVec<[u32; 6]> =
                keys.slugs.iter().copied().filter(|slug| *slug != acronym).collect();
            let facts = statistics.employer_facts(company.as_ref(), *company_id);
            let name = company.as_ref().map_or("", |company| &company.words);
            let domain = facts.map_or(0, |facts| facts.domain);
            put_employer(&mut fields, &mut words, &slugs, domain, acronym, name);
            words.extend_from_slice(id.as_bytes());
        }
        (fields, words)
    }

    fn title_section(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut offsets, mut bytes) = (vec![0], Vec::new());
        for title in &self.titles.values {
            title.words.iter().for_each(|word| bytes.put_u32(*word));
            offsets.push(bytes.len() as u32);
        }
        (column(&offsets), bytes)
    }
}

/// Puts header and sections together, each section in pieces. Each piece goes as soon as it is
/// copied, so that the file is not held twice.
fn assemble(header: &Header, sections: [Vec<Vec<u8>>; SECTIONS]) -> Vec<u8> {
    let mut body_hash = xxhash_rust::xxh3::Xxh3::new();
    for piece in sections.iter().flatten() {
        body_hash.update(piece);
    }
    let mut fields = Vec::with_capacity(HEADER_BYTES - 16);
    header.put(&mut fields);
    fields.put_u64(body_hash.digest());
    let mut at = HEADER_BYTES as u64;
    for section in &sections {
        let length = section.iter().map(|piece| piece.len() as u64).sum();
        fields.put_u64(at);
        fields.put_u64(length);
        at += length;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(at).unwrap_or_default());
    bytes.extend_from_slice(&MAGIC);
    bytes.put_u64(hash64(&fields));
    bytes.extend_from_slice(&fields);
    for piece in sections.into_iter().flatten() {
        bytes.extend_from_slice(&piece);
    }
    bytes
}
