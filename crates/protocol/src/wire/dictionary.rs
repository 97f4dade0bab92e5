//! Dictionaries: members that take one of the listed codes.

/// One code of a dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// 代码值, as on the wire.
    pub code: &'static str,
    /// 代码名称.
    pub name: &'static str,
}

/// Declares a dictionary: an enum whose variants are the codes, with the Chinese name of the
/// dictionary as its first doc line and of each code as the variant's. A code that is also met in
/// another spelling takes it behind a bar: it is read, never written.
#[macro_export]
macro_rules! dictionary {
    (
        #[doc = $name:literal]
        $(#[doc = $more:literal])*
        pub enum $type:ident {
            $( #[doc = $label:literal] $variant:ident = $code:literal $(| $spelling:literal)*, )+
        }
    ) => {
        #[doc = $name]
        $(#[doc = $more])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type {
            $( #[doc = $label] $variant, )+
        }

        impl $type {
            /// Every code with its name, in the order of the specification.
            pub const ENTRIES: &'static [$crate::wire::Entry] = &[
                $( $crate::wire::Entry { code: $code, name: $label.trim_ascii() }, )+
            ];

            /// The code as on the wire.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $( Self::$variant => $code, )+ }
            }

            /// The name of the code in Chinese.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $( Self::$variant => $label.trim_ascii(), )+ }
            }

            /// The entry of this code, if there is one.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                match code {
                    $( $code $(| $spelling)* => Some(Self::$variant), )+
                    _ => None,
                }
            }
        }

        impl $crate::wire::Scalar for $type {
            const KIND: $crate::wire::Kind = $crate::wire::Kind::Dictionary {
                name: $name.trim_ascii(),
                entries: Self::ENTRIES,
            };

            fn parse(text: &str) -> Result<Self, $crate::wire::Invalid> {
                Self::from_code(text).ok_or_else(|| {
                    let codes: Vec<&str> = Self::ENTRIES.iter().map(|entry| entry.code).collect();
                    $crate::wire::Invalid::new(format!("应为下列代码之一：{}", codes.join("、")))
                })
            }

            fn render(&self) -> std::borrow::Cow<'_, str> {
                std::borrow::Cow::Borrowed(self.code())
            }
        }
    };
}
