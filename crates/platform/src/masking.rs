//! What is shown of a person to somebody who need not see all of it.

/// A name as shown to somebody who need not see it whole: the last character.
#[must_use]
pub fn masked_name(name: &str) -> String {
    let count = name.chars().count();
    name.chars()
        .enumerate()
        .map(|(place, letter)| if place + 1 == count { letter } else { '＊' })
        .collect()
}

/// The same of a number: its first three and last two characters, where there are enough to hide.
#[must_use]
pub fn masked_number(number: &str) -> String {
    let count = number.chars().count();
    let shown = |place: usize| count >= 8 && (place < 3 || place + 2 >= count);
    number
        .chars()
        .enumerate()
        .map(|(place, letter)| if shown(place) { letter } else { '*' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_shows_its_last_character() {
        assert_eq!(masked_name("张三"), "＊三");
        assert_eq!(masked_name("欧阳𠮷"), "＊＊𠮷");
        assert_eq!(masked_name(""), "");
    }

    #[test]
    fn a_number_shows_its_ends_where_there_is_enough_between() {
        assert_eq!(masked_number("11010519491231002X"), "110*************2X");
        assert_eq!(masked_number("1234567"), "*******");
    }
}
