use super::*;

type Owned = Result<(u8, Form, Vec<u8>), Error>;

fn walk(bytes: &[u8]) -> Vec<Owned> {
    Attrs::new(bytes).map(|attr| attr.map(|a| (a.id, a.form, a.payload.to_vec()))).collect()
}

fn plain(id: u8, payload: &[u8]) -> Owned {
    Ok((id, Form::Plain, payload.to_vec()))
}

#[test]
fn attributes_are_padded_with_zeroes_to_four_bytes() {
    let mut writer = Writer::new(MAX_MESSAGE);
    writer.put_text(2, "gwha").unwrap();
    writer.put_u32(1, 0x0102_0304).unwrap();

    let bytes = writer.into_bytes();

    assert_eq!(bytes, b"\x02\x00\x00\x09gwha\0\0\0\0\x01\x00\x00\x08\x01\x02\x03\x04");
    assert_eq!(walk(&bytes), [plain(2, b"gwha\0"), plain(1, &[1, 2, 3, 4])]);
}

#[test]
fn nested_length_includes_the_padding_of_the_last_child() {
    let mut writer = Writer::new(MAX_MESSAGE);
    let mark = writer.begin(7, Form::Plain).unwrap();
    writer.put(9, &[1]).unwrap();
    writer.end(mark);

    assert_eq!(writer.into_bytes(), b"\x07\x00\x00\x0c\x09\x00\x00\x05\x01\0\0\0");
}

#[test]
fn child_whose_padding_lies_outside_the_parent_ends_the_walk() {
    assert_eq!(walk(b"\x09\x00\x00\x05\x01\0\0\0"), [plain(9, &[1])]);
    assert_eq!(walk(b"\x09\x00\x00\x05\x01\0\0"), []);
    assert_eq!(walk(b"\x01\x00\x00\x04\x09\x00\x00\x05\x01"), [plain(1, b"")]);
}

#[test]
fn zero_length_ends_the_walk_and_a_runt_is_skipped() {
    assert_eq!(walk(b"\x01\x00\x00\x00\x02\x00\x00\x04"), []);
    for runt in 1..=3 {
        let bytes = [1, 0, 0, runt, 2, 0, 0, 4];
        assert_eq!(walk(&bytes), [Err(Error::Malformed), plain(2, b"")]);
    }
}

#[test]
fn every_truncation_yields_a_prefix_of_the_attributes() {
    let mut writer = Writer::new(MAX_MESSAGE);
    for id in 0..5 {
        writer.put(id, &[0xa5; 7]).unwrap();
    }
    let bytes = writer.into_bytes();

    for length in 0..bytes.len() {
        assert_eq!(walk(&bytes[..length]).len(), length / 12);
    }
}

#[test]
fn writer_stops_at_its_limit_and_keeps_what_it_has() {
    let mut writer = Writer::new(16);
    writer.put(1, &[1; 4]).unwrap();

    assert_eq!(writer.put(1, &[1; 5]), Err(Error::TooLong));

    let mut exact = Writer::new(16);
    exact.put(1, &[1; 12]).unwrap();
    assert_eq!(exact.append(&[0]), Err(Error::TooLong));
    assert_eq!(exact.into_bytes().len(), 16);
}

#[test]
fn text_is_cut_at_its_first_nul() {
    let mut writer = Writer::new(MAX_MESSAGE);
    writer.put_text(1, "ab\0cd").unwrap();

    let bytes = writer.into_bytes();

    assert_eq!(bytes, b"\x01\x00\x00\x07ab\0\0");
    assert_eq!(text(b"ab\0cd\0"), Some(&b"ab"[..]));
    assert_eq!(text(b"ab"), None);
    assert_eq!(text(b""), None);
}

#[test]
fn numbers_have_exactly_their_size() {
    let attr = |payload| Attr { id: 1, form: Form::Plain, payload };

    assert_eq!(attr(&[0, 0, 1, 0][..]).u32(), Some(256));
    assert_eq!(attr(&[0, 0, 1][..]).u32(), None);
    assert_eq!(attr(&[0; 5][..]).u32(), None);
    assert_eq!(attr(&[7][..]).u8(), Some(7));
    assert_eq!(attr(&[0, 7][..]).u8(), None);
}
