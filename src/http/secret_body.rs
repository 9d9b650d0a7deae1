//! Reads the body of an answer that holds secrets.
//!
//! What the HTTP library collects a body in grows, and leaves a copy behind each time that it moves. So the pieces are kept as
//! they arrive, in the buffers that they were read into, and copied once to where they are wiped. Then they are wiped too, as
//! far as the library's connection no longer holds the same buffer.

use actix_http::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::stream::{Stream, StreamExt};
use zeroize::Zeroize;

use crate::crypto::secret::Secret;

/// The whole body, of at most so many bytes.
///
/// # Errors
/// If it is longer, or does not arrive.
pub(super) async fn read(
    mut body: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    max: usize,
) -> Result<Secret, PayloadError> {
    let mut pieces = Pieces::default();
    while let Some(piece) = body.next().await {
        pieces.add(piece?, max)?;
    }
    Ok(pieces.join())
}

/// Wiped as far as that is possible, whatever becomes of them.
#[derive(Default)]
struct Pieces {
    pieces: Vec<Bytes>,
    length: usize,
}

impl Pieces {
    fn add(&mut self, piece: Bytes, max: usize) -> Result<(), PayloadError> {
        self.length += piece.len();
        self.pieces.push(piece);
        if self.length > max {
            return Err(PayloadError::Overflow);
        }
        Ok(())
    }

    fn join(self) -> Secret {
        let mut whole = Vec::with_capacity(self.length); // exact: growing would leave copies behind
        for piece in &self.pieces {
            whole.extend_from_slice(piece);
        }
        Secret::from(whole)
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        for piece in self.pieces.drain(..) {
            if let Ok(mut piece) = piece.try_into_mut() {
                piece.as_mut().zeroize();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::web::BytesMut;
    use futures_util::FutureExt;
    use futures_util::stream::iter;

    use super::*;

    fn read_pieces(pieces: &[&'static [u8]], max: usize) -> Result<Secret, PayloadError> {
        let pieces = pieces.iter().map(|piece| Ok(Bytes::from_static(piece)));
        read(iter(pieces), max).now_or_never().unwrap()
    }

    #[test]
    fn a_body_is_put_together_from_its_pieces_up_to_a_limit() {
        assert_eq!(*read_pieces(&[], 0).unwrap(), *b"");
        assert_eq!(
            *read_pieces(&[b"secret ", b"", b"bytes"], 12).unwrap(),
            *b"secret bytes"
        );
        let too_long = read_pieces(&[b"secret ", b"bytes"], 11);
        assert!(matches!(too_long, Err(PayloadError::Overflow)));
    }

    #[test]
    fn a_body_that_breaks_off_is_an_error() {
        let pieces = [
            Ok(Bytes::from_static(b"secret")),
            Err(PayloadError::Incomplete(None)),
        ];
        let body = read(iter(pieces), 100).now_or_never().unwrap();
        assert!(matches!(body, Err(PayloadError::Incomplete(None))));
    }

    #[test]
    fn pieces_that_nobody_else_holds_are_wiped_and_others_are_left_as_they_are() {
        let mut buffer = BytesMut::from(&b"secret bytes of somebody else"[..]);
        let piece = buffer.split_to(12).freeze();
        let body = read(iter([Ok(piece)]), 100).now_or_never().unwrap();
        assert_eq!(*body.unwrap(), *b"secret bytes");
        assert_eq!(buffer, " of somebody else");
    }
}
