//! The query of a GET.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::protocol::names::{KeyId, KeyIdError, NameError, NodeName, SaeId};
use crate::protocol::wire::KEY_SHARE_PATH;

/// Query of a GET. `docs/protocol.md` §6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchQuery {
    /// The client that asks.
    pub client: NodeName,
    /// The slave SAE for which it asks.
    pub slave_sae: SaeId,
    /// The SAE that asked for the keys in the first place.
    pub master_sae: SaeId,
    /// The keys wanted.
    pub key_ids: Vec<KeyId>,
}

/// Why the target of a request is no fetch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// There is nothing after the path.
    #[error("the query is missing")]
    Missing,
    /// A field is not where it should be.
    #[error(
        "the query must be client, slave_sae, master_sae, key_ids in this order; {0} is missing"
    )]
    FieldMissing(&'static str),
    /// A name cannot be used.
    #[error("{field}: {error}")]
    Name {
        /// The field that it stands in.
        field: &'static str,
        /// What is wrong with it.
        error: NameError,
    },
    /// A key ID is no UUID.
    #[error("key_ids: {0}")]
    KeyId(KeyIdError),
    /// More follows the last field.
    #[error("the query has more than client, slave_sae, master_sae, key_ids")]
    TooMany,
}

impl FetchQuery {
    /// Path and query of the request line. Names need no escaping.
    #[must_use]
    pub fn target(&self) -> String {
        let key_ids: Vec<String> = self.key_ids.iter().map(KeyId::to_string).collect();
        format!(
            "{KEY_SHARE_PATH}?client={}&slave_sae={}&master_sae={}&key_ids={}",
            self.client,
            self.slave_sae,
            self.master_sae,
            key_ids.join(",")
        )
    }

    /// Reads the target of a request.
    ///
    /// # Errors
    /// If it is not exactly what [`FetchQuery::target`] writes.
    pub fn from_target(target: &str) -> Result<Self, QueryError> {
        let (_, query) = target.split_once('?').ok_or(QueryError::Missing)?;
        let mut fields = query.split('&').map(|pair| pair.split_once('='));
        let mut next = |wanted| match fields.next() {
            Some(Some((field, value))) if field == wanted => Ok(value),
            _ => Err(QueryError::FieldMissing(wanted)),
        };
        let query = Self {
            client: name("client", next("client")?)?,
            slave_sae: name("slave_sae", next("slave_sae")?)?,
            master_sae: name("master_sae", next("master_sae")?)?,
            key_ids: next("key_ids")?
                .split(',')
                .map(|id| id.parse().map_err(QueryError::KeyId))
                .collect::<Result<_, _>>()?,
        };
        match fields.next() {
            Some(_) => Err(QueryError::TooMany),
            None => Ok(query),
        }
    }
}

fn name<N: FromStr<Err = NameError>>(field: &'static str, value: &str) -> Result<N, QueryError> {
    let error = |error| QueryError::Name { field, error };
    value.parse().map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> FetchQuery {
        FetchQuery {
            client: "celia".parse().unwrap(),
            slave_sae: "celia".parse().unwrap(),
            master_sae: "carol".parse().unwrap(),
            key_ids: vec![
                "bc490419-7d60-487f-adc1-4ddcc177c139".parse().unwrap(),
                "0a782fb5-3434-48fe-aa4d-14f41d46cf92".parse().unwrap(),
            ],
        }
    }

    #[test]
    fn a_fetch_query_reads_what_it_writes() {
        assert_eq!(FetchQuery::from_target(&query().target()), Ok(query()));
    }

    #[test]
    fn a_fetch_query_with_fields_missing_added_or_swapped_is_refused() {
        let target = query().target();
        let swapped = target.replace(
            "slave_sae=celia&master_sae=carol",
            "master_sae=carol&slave_sae=celia",
        );
        let name = QueryError::Name {
            field: "master_sae",
            error: NameError::Character('%'),
        };
        for (bad, error) in [
            (KEY_SHARE_PATH.to_owned(), QueryError::Missing),
            (
                target.replace("client=", "klient="),
                QueryError::FieldMissing("client"),
            ),
            (swapped, QueryError::FieldMissing("slave_sae")),
            (format!("{target}&more=1"), QueryError::TooMany),
            (
                target.replace("key_ids=bc", "key_ids=xx"),
                QueryError::KeyId(KeyIdError),
            ),
            (target.replace("=carol", "=car%6fl"), name),
        ] {
            assert_eq!(FetchQuery::from_target(&bad), Err(error), "{bad}");
        }
    }
}
