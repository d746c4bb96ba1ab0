//! Files that are fetched in parts: `Range` and `If-Range` (RFC 9110, section 14), so that a download that broke off goes on.

use std::io::{self, Read};

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use crate::http::{
    problem::{Problem, ProblemKind},
    server::streamed_body::stream_body,
};

/// What is wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestedRange {
    Whole,
    /// From the first byte on, so many.
    Part {
        first: u64,
        length: u64,
    },
    /// Bytes that the file does not have.
    Nothing,
}

/// A file that can be fetched.
pub(in crate::http) struct FetchableFile<R> {
    pub(in crate::http) content: R,
    pub(in crate::http) length: u64,
    /// What tells this content from any other, without quotes.
    pub(in crate::http) tag: String,
    /// Leaves so many bytes out.
    pub(in crate::http) skip: fn(&mut R, u64) -> io::Result<()>,
}

/// Answers with a file of this media type, or with the part of it that is asked for.
pub(in crate::http) fn respond_file<R: Read + Send + 'static>(
    method: &Method,
    headers: &HeaderMap,
    file: FetchableFile<R>,
    media: &'static str,
) -> Response {
    let FetchableFile { content, length, tag, skip } = file;
    let tag = format!("\"{tag}\"");
    // Other methods know no parts.
    let wanted = if *method == Method::GET { requested_range(headers, length, &tag) } else { RequestedRange::Whole };
    let (status, first, count) = match wanted {
        RequestedRange::Whole => (StatusCode::OK, 0, length),
        RequestedRange::Part { first, length } => (StatusCode::PARTIAL_CONTENT, first, length),
        RequestedRange::Nothing => return unsatisfiable_range(length),
    };
    let mut response = Response::new(stream_body(SkippedFile { content, skip: Some(skip), first }.take(count)));
    *response.status_mut() = status;
    let answered = response.headers_mut();
    answered.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    answered.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    answered.insert(header::CONTENT_LENGTH, HeaderValue::from(count));
    answered.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answered.extend(HeaderValue::from_str(&tag).map(|tag| (header::ETAG, tag)));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{}/{length}", first + count - 1);
        answered.extend(HeaderValue::from_str(&range).map(|range| (header::CONTENT_RANGE, range)));
    }
    response
}

fn unsatisfiable_range(length: u64) -> Response {
    let detail = format!("the file has {length} bytes, and none of those that are asked for");
    let mut response = Problem::new(ProblemKind::RANGE, detail).into_response();
    let range = HeaderValue::from_str(&format!("bytes */{length}"));
    response.headers_mut().extend(range.map(|range| (header::CONTENT_RANGE, range)));
    response
}

/// What is wanted of a file of `length` bytes. A header that is not understood, or asks for several parts, is not regarded: the
/// whole file is an answer to it.
fn requested_range(headers: &HeaderMap, length: u64, tag: &str) -> RequestedRange {
    let only = |name| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none()).and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let Some(range) = only(header::RANGE) else { return RequestedRange::Whole };
    // The rest of another content must not be put behind what is there. A date is none of ours.
    if headers.contains_key(header::IF_RANGE) && only(header::IF_RANGE) != Some(tag) {
        return RequestedRange::Whole;
    }
    parse(range, length).unwrap_or(RequestedRange::Whole)
}

fn parse(range: &str, length: u64) -> Option<RequestedRange> {
    let (unit, range) = range.split_once('=')?;
    let (first, last) = range.trim().split_once('-').filter(|_| unit.trim().eq_ignore_ascii_case("bytes"))?;
    let number = |text: &str| {
        // A number beyond all files is one all the same.
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    if first.is_empty() {
        // `-3` is the last three bytes, and not those from 0 to 3.
        let count = number(last)?.min(length);
        return Some(if count == 0 {
            RequestedRange::Nothing
        } else {
            RequestedRange::Part { first: length - count, length: count }
        });
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    // RFC 9110 calls such a header invalid, which is passed over. That is not the same as a range beyond the end.
    if last < first {
        return None;
    }
    if first >= length {
        return Some(RequestedRange::Nothing);
    }
    Some(RequestedRange::Part { first, length: last.min(length - 1) - first + 1 })
}

/// A file without its first bytes; they are left out by the thread that reads.
struct SkippedFile<R> {
    content: R,
    skip: Option<fn(&mut R, u64) -> io::Result<()>>,
    first: u64,
}

impl<R: Read> Read for SkippedFile<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // With the first read, and so on the thread that may block.
        if let Some(skip) = self.skip.take().filter(|_| self.first > 0) {
            skip(&mut self.content, self.first)?;
        }
        self.content.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let part = |first, length| Some(RequestedRange::Part { first, length });
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=2-4", part(2, 3)),
            ("Bytes = 2-4", part(2, 3)),
            ("bytes=9-", part(9, 1)),
            ("bytes=3-99999999999999999999999", part(3, 7)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-99", part(0, 10)),
            ("bytes=-0", Some(RequestedRange::Nothing)),
            ("bytes=10-", Some(RequestedRange::Nothing)),
            ("bytes=99999999999999999999999-", Some(RequestedRange::Nothing)),
            ("bytes=4-2", None),
            ("bytes=1-2,5-6", None),
            ("bytes=a-b", None),
            ("bytes=-", None),
            ("bytes=+1-2", None),
            ("rows=0-1", None),
            ("bytes", None),
        ] {
            assert_eq!(parse(range, 10), expected, "{range}");
        }
        assert_eq!(parse("bytes=0-", 0), Some(RequestedRange::Nothing));
        assert_eq!(parse("bytes=-1", 0), Some(RequestedRange::Nothing));
    }
}
