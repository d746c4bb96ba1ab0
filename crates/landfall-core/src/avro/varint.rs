//! Avro's variable-length integers: zigzag, seven bits a byte, the lowest first.
//! <https://avro.apache.org/docs/1.12.0/specification/#binary-encoding>

/// Appends `value`.
#[inline]
pub fn put_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned();
    let mut bytes = [0u8; 10];
    let mut length = 0;
    loop {
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        if rest == 0 {
            bytes[length] = low;
            out.extend_from_slice(&bytes[..=length]);
            return;
        }
        bytes[length] = low | 0x80;
        length += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longs_as_the_specification_writes_them() {
        for (value, bytes) in [
            (0, vec![0]),
            (-1, vec![1]),
            (1, vec![2]),
            (-64, vec![0x7f]),
            (64, vec![0x80, 1]),
            (i64::MAX, vec![0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
            (i64::MIN, vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut out = Vec::new();
            put_long(value, &mut out);
            assert_eq!(out, bytes, "{value}");
        }
    }
}
