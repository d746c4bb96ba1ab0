//! What may stand around a number without changing it: currencies, the percent sign, and units.
//!
//! The standard leaves it open what may be taken away (<https://datapackage.org/standard/table-schema/#barenumber>). Here it is what is on
//! these lists: a word that is on none may be a scale (`k`, `Mio`), a sign (`CR`, `minus`) or a bound (`max`). So single letters that also
//! are scales (`m`, `t`, `M`, `K`, `G`) are left out.

use super::problem::CellFault;

/// The cause where something else stands around a number.
pub(super) const UNKNOWN: CellFault = CellFault::Borrowed(
    "what stands around the number is no currency, percent sign or unit that is known not to change it",
);

/// The active codes of ISO 4217.
const CODES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP \
CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR \
ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD \
NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL \
THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XDR XOF XPF YER ZAR ZMW ZWL";

/// Signs and words for currencies, as they are written.
const CURRENCIES: &str = "US$ A$ AU$ C$ CA$ CAN$ NZ$ HK$ NT$ S$ R$ Mex$ eur usd gbp chf Euro Euros euro euros Dollar Dollars dollar dollars \
Pound Pounds pound pounds Franken francs Yen yen Yuan yuan Rupees rupees Rs Rs. Fr Fr. SFr SFr. kr kr. Kr Kr. Kč zł Ft lei лв лв. руб руб. \
р. грн 円 元 원 DM FRF ITL ESP DEM ATS BEF NLG";

/// Units and words for things that are counted. None of them takes another value for it.
const UNITS: &str = "% pct percent Prozent \
mm cm dm km µm μm nm mi ft yd in inch inches foot feet miles mile metre metres meter meters kilometer kilometers kilometre kilometres \
mm² cm² m² km² ha mm³ cm³ m³ sqm sqft acre acres \
mg g kg lb lbs oz gram grams kilogram kilograms Gramm tonnes Tonnen \
ml mL cl dl l L hl litre litres liter liters Liter gal gallon gallons \
ms s sec sec. secs second seconds min min. mins minute minutes h hr hrs hour hours Std Std. Stunden d day days Tag Tage week weeks Wochen \
month months Monate yr yrs year years Jahr Jahre \
°C °F ° ℃ ℉ deg kW MW kWh MWh Wh V mV kV A mA Hz kHz MHz GHz Pa hPa kPa MPa bar mbar J kJ MJ kcal cal kN Nm dB rpm km/h mph m/s kn \
kB KB MB GB TB KiB MiB GiB TiB bit bits byte bytes px pt \
pc pc. pcs pcs. piece pieces unit units item items ea ea. each Stk Stk. Stck Stück St. Stueck pers pers. person persons people Personen points";

/// Words before the number of a thing.
const NUMBER_SIGNS: &str = "# No No. no. Nr Nr. nr. № n° N°";

/// Whether `text` may stand before a number: there `min` is a bound, so that no unit may.
pub(super) fn may_precede(text: &str) -> bool {
    text.split_whitespace().all(|token| token == "%" || is_currency(token) || is_word_of(token, NUMBER_SIGNS))
}

/// Whether `text` may stand behind a number.
pub(super) fn may_follow(text: &str) -> bool {
    let is_one = |token: &str| is_currency(token) || is_word_of(token, UNITS);
    text.split_whitespace().all(|token| {
        is_one(token) || token.split_once('/').is_some_and(|(amount, each)| is_one(amount) && is_one(each))
    })
}

/// Whether `text` is one currency, with white space behind it or not.
pub(super) fn is_currency(text: &str) -> bool {
    let token = text.trim_end();
    is_currency_sign(token) || is_word_of(token, CODES) || is_word_of(token, CURRENCIES)
}

fn is_word_of(token: &str, words: &str) -> bool {
    !token.is_empty() && words.split(' ').any(|word| word == token)
}

/// Whether `token` is one currency sign of Unicode (the category Sc).
fn is_currency_sign(token: &str) -> bool {
    let mut characters = token.chars();
    let sign = matches!(
        characters.next(),
        Some(
            '$'
            | '\u{a2}'..='\u{a5}'
            | '\u{58f}'
            | '\u{60b}'
            | '\u{9f2}'
            | '\u{9f3}'
            | '\u{9fb}'
            | '\u{af1}'
            | '\u{bf9}'
            | '\u{e3f}'
            | '\u{17db}'
            | '\u{20a0}'..='\u{20cf}'
            | '\u{a838}'
            | '\u{fdfc}'
            | '\u{fe69}'
            | '\u{ff04}'
            | '\u{ffe0}'
            | '\u{ffe1}'
            | '\u{ffe5}'
            | '\u{ffe6}',
        )
    );
    sign && characters.next().is_none()
}
