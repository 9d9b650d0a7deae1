//! The `DSKE-Signature` header: which PSRD a message uses, and the MAC tag over its exact bytes.

use std::fmt;
use std::str::FromStr;

use crate::crypto::mac::{MacKey, MacMismatch, MacTag};
use crate::harness::{Canary, canary};
use crate::psrd::{Allocation, AllocationError};

use super::wire::{Request, Response};

/// Value of a `DSKE-Signature` header: `ALLOCATION;TAG`.
///
/// The first 32 bytes of the allocation are the MAC key. The rest are one-time pads in the order of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The PSRD that the message uses.
    pub allocation: Allocation,
    /// The MAC tag.
    pub tag: MacTag,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.allocation, self.tag)
    }
}

/// A header that is no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The header is absent.
    #[error("there is none")]
    Missing,
    /// There is no `;` between allocation and tag.
    #[error("it has no ';' between allocation and tag")]
    NoSeparator,
    /// The allocation cannot be read.
    #[error("allocation: {0}")]
    Allocation(AllocationError),
    /// The tag cannot be read.
    #[error("the tag is not 32 hexadecimal digits")]
    Tag,
}

impl FromStr for Signature {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let (allocation, tag) = text.split_once(';').ok_or(SignatureError::NoSeparator)?;
        Ok(Self {
            allocation: allocation.parse().map_err(SignatureError::Allocation)?,
            tag: tag.parse().map_err(|_| SignatureError::Tag)?,
        })
    }
}

impl Signature {
    /// Reads a header that may be absent.
    ///
    /// # Errors
    /// If it is absent or malformed.
    pub fn from_header(header: Option<&str>) -> Result<Self, SignatureError> {
        header.ok_or(SignatureError::Missing)?.parse()
    }

    /// Signs a request. The `signature` that it may already have does not count.
    #[must_use]
    pub fn of_request(key: MacKey, allocation: Allocation, request: &Request) -> Self {
        let tag = with_request_parts(&allocation, request, |parts| key.tag(parts));
        Self { allocation, tag }
    }

    /// Verifies a request.
    ///
    /// # Errors
    /// If any byte of it is not what the owner of the key signed.
    pub fn verify_request(&self, key: &MacKey, request: &Request) -> Result<(), MacMismatch> {
        with_request_parts(&self.allocation, request, |parts| {
            key.verify(parts, &self.tag)
        })
    }

    /// Signs the response to the request with the signature `to`, so that nobody can pass it off as the answer to
    /// another request.
    #[must_use]
    pub fn of_response(
        key: MacKey,
        allocation: Allocation,
        to: &Signature,
        response: &Response,
    ) -> Self {
        let tag = with_response_parts(&allocation, to, response, |parts| key.tag(parts));
        Self { allocation, tag }
    }

    /// Verifies the response to the request with the signature `to`.
    ///
    /// # Errors
    /// If any byte of it is not what the owner of the key signed, or it answers another request.
    pub fn verify_response(
        &self,
        key: &MacKey,
        to: &Signature,
        response: &Response,
    ) -> Result<(), MacMismatch> {
        with_response_parts(&self.allocation, to, response, |parts| {
            key.verify(parts, &self.tag)
        })
    }
}

// The allocation is among the authenticated parts, since its tail names the pads: another pad would change a share.
fn with_request_parts<T>(
    allocation: &Allocation,
    request: &Request,
    f: impl FnOnce(&[&[u8]]) -> T,
) -> T {
    let allocation = allocation.to_string();
    let mut target = request.target.as_str();
    if canary(Canary::QueryUnsigned) {
        target = target.split_once('?').map_or(target, |(path, _)| path);
    }
    f(&[
        b"dske-request-1",
        request.method.as_str().as_bytes(),
        target.as_bytes(),
        allocation.as_bytes(),
        &request.body,
    ])
}

fn with_response_parts<T>(
    allocation: &Allocation,
    to: &Signature,
    response: &Response,
    f: impl FnOnce(&[&[u8]]) -> T,
) -> T {
    let allocation = allocation.to_string();
    let to = to.to_string();
    f(&[
        b"dske-response-1",
        to.as_bytes(),
        &response.status.to_be_bytes(),
        allocation.as_bytes(),
        &response.body,
    ])
}
