//! The learned evaluation of a search's leaves: its file and its arithmetic, the same to the last bit as the Go snake's
//! (`deploy/go-snake/leafeval`, which describes both). `features` computes what it is shown; `pipeline/leaf_eval` fits it.

use std::ops::Range;

/// The file that both snakes are built with.
const SHIPPED: &[u8] = include_bytes!("../../../go-snake/leaf.eval");

/// Numbers that a position is shown as, and how many values each takes; the Go snake's legend.
pub const LEGEND: [(&str, usize); 41] = [
    ("my_room", 61),
    ("my_breadth", 32),
    ("my_near", 48),
    ("my_food", 22),
    ("my_tail", 26),
    ("my_health", 26),
    ("my_corridors", 21),
    ("my_exits", 5),
    ("my_length", 32),
    ("my_place", 64),
    ("my_supply", 12),
    ("my_parity", 16),
    ("my_urgency", 132),
    ("his_room", 61),
    ("his_breadth", 32),
    ("his_near", 48),
    ("his_food", 22),
    ("his_tail", 26),
    ("his_health", 26),
    ("his_corridors", 21),
    ("his_exits", 5),
    ("his_length", 32),
    ("his_place", 64),
    ("his_supply", 12),
    ("his_parity", 16),
    ("his_urgency", 132),
    ("lead", 25),
    ("room_balance", 61),
    ("near_balance", 49),
    ("disputed", 21),
    ("heads", 192),
    ("food_race", 64),
    ("closing", 105),
    ("facing", 72),
    ("fill", 25),
    ("food_on_board", 10),
    ("living", 4),
    ("lead_of_longest", 25),
    ("rivals_room", 31),
    ("dangers", 4),
    ("second_head", 48),
];
pub const FEATURES: usize = LEGEND.len();
/// The length of a table's row.
pub const LANES: usize = 16;
/// No number of a table is beyond it, so that sums of `FEATURES` of them stay within 16 bits.
pub const ROW_LIMIT: i16 = 780;
/// The highest value of a clipped lane.
const ACTIVATION_ONE: i32 = 256;
/// The value counts `2^-POINT_SHIFT` points.
const POINT_SHIFT: u32 = 12;
const HAND_ONE: u32 = 256;
const MAGIC: &[u8] = b"OUROLEAF";
const VERSION: u32 = 1;
const MOST_SIDE: u32 = 25;
const HEAD: usize = MAGIC.len() + 5 * 4;

/// What a position is shown as.
pub type Shown = [u16; FEATURES];

/// One table with its output weights.
#[derive(Debug)]
pub struct Network {
    rows: Vec<[i16; LANES]>,
    bias: [i16; LANES],
    output: [i16; LANES],
}

/// What a file holds.
#[derive(Debug)]
pub struct LeafEval {
    /// How much of the snake's own evaluation is added, 0 to 1.
    pub hand_share: f64,
    /// The board that it was fitted for.
    pub width: u32,
    pub height: u32,
    pub duel: Network,
    pub crowd: Network,
}

/// Where each feature's rows begin.
const STARTS: [u16; FEATURES] = {
    let (mut starts, mut at, mut feature) = ([0; FEATURES], 0, 0);
    while feature < FEATURES {
        starts[feature] = at as u16;
        at += LEGEND[feature].1;
        feature += 1;
    }
    starts
};
const ROWS: usize = STARTS[FEATURES - 1] as usize + LEGEND[FEATURES - 1].1;
const SIZE: usize = HEAD + 2 * 2 * LANES * (ROWS + 2) + 4;

impl Network {
    /// The value in `2^-POINT_SHIFT` points.
    #[inline]
    pub fn evaluate(&self, shown: &Shown) -> i32 {
        let mut sums = [0i16; LANES];
        for (&value, start) in shown.iter().zip(STARTS) {
            let row = &self.rows[usize::from(start + value)];
            for (sum, number) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(*number); // never wraps: ROW_LIMIT
            }
        }
        let mut value = 0;
        for (lane, sum) in sums.into_iter().enumerate() {
            let sum = i32::from(sum) + i32::from(self.bias[lane]);
            let passed = if lane < LANES - 1 { sum.clamp(0, ACTIVATION_ONE) } else { sum };
            value += passed * i32::from(self.output[lane]);
        }
        value
    }

    /// The same in points.
    #[inline]
    pub fn points(&self, shown: &Shown) -> f64 {
        f64::from(self.evaluate(shown)) / f64::from(1 << POINT_SHIFT)
    }

    /// Whether the value is 0 whatever is shown: there is no need to ask.
    #[inline]
    pub fn is_silent(&self) -> bool {
        self.output == [0; LANES]
    }

    fn read(data: &[u8]) -> Result<Self, String> {
        let mut numbers = data.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
        let mut row = || std::array::from_fn(|_| numbers.next().unwrap_or_default());
        let rows: Vec<[i16; LANES]> = (0..ROWS).map(|_| row()).collect();
        if rows.iter().flatten().any(|&number| !(-ROW_LIMIT..=ROW_LIMIT).contains(&number)) {
            return Err(format!("is a leaf evaluation with a number beyond {ROW_LIMIT}"));
        }
        Ok(Self { rows, bias: row(), output: row() })
    }
}

impl LeafEval {
    /// The evaluation that both snakes are built with.
    ///
    /// # Panics
    /// Never: it is compiled in, and a test reads it.
    #[must_use]
    pub fn shipped() -> Self {
        Self::parse(SHIPPED).expect("the evaluation that is compiled in can be read")
    }

    /// Reads the content of a file.
    ///
    /// # Errors
    /// The data is no leaf evaluation, damaged, or made for another version or other features; words that follow the
    /// file's name.
    pub fn parse(data: &[u8]) -> Result<Self, String> {
        if data.len() < HEAD || !data.starts_with(MAGIC) {
            return Err("is no leaf evaluation".into());
        }
        let [version, legend, share, width, height] =
            std::array::from_fn(|index| number(data, MAGIC.len() + 4 * index));
        if version != VERSION {
            return Err(format!(
                "is a leaf evaluation of version {version}, and this snake reads version {VERSION}; fit it anew"
            ));
        }
        if legend != legend_sum() {
            return Err("is a leaf evaluation made for other features than this snake's; fit it anew".into());
        }
        if data.len() != SIZE || number(data, SIZE - 4) != crc32(&data[..SIZE - 4]) {
            return Err("is a damaged leaf evaluation: its checksum is not that of what it holds".into());
        }
        let sides = 1..=MOST_SIDE;
        if share > HAND_ONE || !sides.contains(&width) || !sides.contains(&height) {
            return Err("is a leaf evaluation with numbers in its head that cannot be".into());
        }
        let half = |part: Range<usize>| Network::read(&data[part]);
        let middle = HEAD + (SIZE - 4 - HEAD) / 2;
        let (duel, crowd) = (half(HEAD..middle)?, half(middle..SIZE - 4)?);
        Ok(Self { hand_share: f64::from(share) / f64::from(HAND_ONE), width, height, duel, crowd })
    }
}

fn number(data: &[u8], at: usize) -> u32 {
    data[at..at + 4].iter().rev().fold(0, |all, &byte| all << 8 | u32::from(byte))
}

/// The CRC-32 of the legend as a text, a line a feature.
fn legend_sum() -> u32 {
    let lines = LEGEND.map(|(name, values)| format!("{name} {values}\n"));
    crc32(lines.concat().as_bytes())
}

/// The checksum of IEEE 802.3, bit by bit: it is asked for twice a program.
fn crc32(data: &[u8]) -> u32 {
    let bit = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !data.iter().fold(u32::MAX, |sum, &byte| (0..8).fold(sum ^ u32::from(byte), |sum, _| bit(sum)))
}

#[cfg(test)]
mod tests {
    use super::{FEATURES, HEAD, LANES, LeafEval, ROWS, SHIPPED, SIZE, crc32};

    fn sealed(mut data: Vec<u8>) -> Vec<u8> {
        let end = data.len() - 4;
        let sum = crc32(&data[..end]);
        data[end..].copy_from_slice(&sum.to_le_bytes());
        data
    }

    fn with(at: usize, bits: u8) -> Vec<u8> {
        let mut data = SHIPPED.to_vec();
        data[at] ^= bits;
        data
    }

    #[test]
    fn what_cannot_be_used_is_refused_in_words() {
        assert!(LeafEval::parse(SHIPPED).is_ok());
        for (data, says) in [
            (Vec::new(), "is no leaf evaluation"),
            (vec![b'x'; 500], "is no leaf evaluation"),
            (SHIPPED[..2000].to_vec(), "damaged"),
            ([SHIPPED, &[0]].concat(), "damaged"),
            (with(HEAD + 999, 4), "damaged"),
            (sealed(with(8, 3)), "version 2"),
            (sealed(with(12, 1)), "other features"),
            (sealed(with(17, 2)), "cannot be"),
            (sealed(with(21, 1)), "cannot be"),
            (sealed(with(HEAD + 1, 0x70)), "beyond 780"),
        ] {
            let error = LeafEval::parse(&data).unwrap_err();
            assert!(error.contains(says) && !error.contains('\n'), "{error}, not {says}");
        }
    }

    #[test]
    fn sums_at_the_limit_stay_within_sixteen_bits() {
        for sign in [1, -1] {
            let mut data = SHIPPED[..HEAD].to_vec();
            for index in 0..2 * (ROWS + 2) * LANES {
                // Of the table all at the limit; of each network's last row, the output weights, one lane alone.
                let last = index % ((ROWS + 2) * LANES) >= (ROWS + 1) * LANES;
                let passed_on = index % LANES == LANES - 1;
                let number: i16 = if last { i16::from(passed_on) } else { 780 * sign };
                data.extend(number.to_le_bytes());
            }
            data.extend([0; 4]);
            assert_eq!(data.len(), SIZE);
            let found = LeafEval::parse(&sealed(data)).unwrap().crowd.evaluate(&[0; FEATURES]);
            assert_eq!(found, 42 * 780 * i32::from(sign)); // 41 rows and the bias
        }
    }
}
