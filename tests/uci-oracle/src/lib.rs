//! libuci as an oracle: reads bytes and gives the same kind of tree as `gwha::uci`.

use std::ffi::{CStr, c_char};
use std::ptr;

use gwha::uci::{Entry, Item, Section, Tree, Value};
use libuci_sys as sys;

/// What libuci makes of `input`; `Err` with its message if it refuses it. Lines are 0, as libuci does
/// not keep them. `input` must not hold NUL bytes: libuci loses text around them.
pub fn read(input: &[u8]) -> Result<Tree, String> {
    assert!(!input.contains(&0));
    if input.is_empty() {
        return Ok(Tree::default()); // fmemopen() of nothing fails in some C libraries.
    }
    // SAFETY: every pointer comes from libuci or libc and is used before its owner is freed, here only.
    unsafe {
        let context = sys::uci_alloc_context();
        assert!(!context.is_null());
        let stream = libc::fmemopen(input.as_ptr().cast_mut().cast(), input.len(), c"r".as_ptr());
        assert!(!stream.is_null());
        let mut package = ptr::null_mut();
        let status = sys::uci_import(context, stream.cast(), c"gwha".as_ptr(), &mut package, true);
        let result = if status == 0 { Ok(tree(package)) } else { Err(message(context)) };
        libc::fclose(stream);
        sys::uci_free_context(context);
        result
    }
}

unsafe fn message(context: *mut sys::uci_context) -> String {
    let mut text = ptr::null_mut();
    unsafe {
        sys::uci_get_errorstr(context, &mut text, ptr::null());
        let message = string(text);
        libc::free(text.cast());
        message
    }
}

unsafe fn tree(package: *mut sys::uci_package) -> Tree {
    let sections = unsafe { elements(&raw mut (*package).sections) };
    Tree { sections: sections.into_iter().map(|element| unsafe { section(element.cast()) }).collect() }
}

unsafe fn section(section: *mut sys::uci_section) -> Section {
    unsafe {
        let name = string((*section).e.name);
        let options = elements(&raw mut (*section).options);
        Section {
            kind: string((*section).type_),
            name: (!(*section).anonymous).then_some(name),
            line: 0,
            options: options.into_iter().map(|element| option(element.cast())).collect(),
        }
    }
}

unsafe fn option(option: *mut sys::uci_option) -> Entry {
    unsafe {
        let value = if (*option).type_ == sys::uci_option_type_UCI_TYPE_STRING {
            Value::Single(item((*option).v.string))
        } else {
            let items = elements(&raw mut (*option).v.list);
            Value::List(items.into_iter().map(|element| item((*element).name)).collect())
        };
        Entry { name: string((*option).e.name), value }
    }
}

/// The elements of a list; `uci_list` is the first field of `uci_element`, which is the first of all.
unsafe fn elements(head: *mut sys::uci_list) -> Vec<*mut sys::uci_element> {
    let mut all = Vec::new();
    unsafe {
        let mut next = (*head).next;
        while next != head {
            all.push(next.cast());
            next = (*next).next;
        }
    }
    all
}

unsafe fn item(text: *const c_char) -> Item {
    Item { bytes: unsafe { CStr::from_ptr(text) }.to_bytes().to_vec(), line: 0 }
}

unsafe fn string(text: *const c_char) -> String {
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
