//! What is printed: figures, and bars that they are held against.

use crate::figures::{Bar, Number, median, spread};

/// Prints as it goes, and counts the bars.
#[derive(Default)]
pub(crate) struct Report {
    met: u32,
    missed: Vec<String>,
}

impl Report {
    /// A heading.
    pub(crate) fn heading(&self, text: &str) {
        println!("\n{text}");
    }

    /// A line of its own.
    pub(crate) fn line(&self, text: &str) {
        println!("  {text}");
    }

    /// Numbers of several rounds: their median, and how far they are apart.
    pub(crate) fn figure(&self, what: &str, values: &[f64], unit: &str) {
        let Some(middle) = median(values) else { return };
        let apart = match spread(values) {
            Some(spread) if values.len() > 1 => format!("  ± {:.0} %", spread * 50.0),
            _ => String::new(),
        };
        println!("  {what:<58}{:>10} {unit}{apart}", Number(middle));
    }

    /// A number and what it has to be.
    pub(crate) fn bar(&mut self, what: &str, value: f64, bar: Bar) {
        let met = bar.is_met_by(value);
        println!("    {what:<56}{:>10}   {bar}: {}", Number(value), if met { "met" } else { "NOT MET" });
        if met {
            self.met += 1;
        } else {
            self.missed.push(format!("{what}: {} ({bar})", Number(value)));
        }
    }

    /// How many bars were met, and which weren't.
    pub(crate) fn sum_up(&self) {
        let all = self.met as usize + self.missed.len();
        println!("\n{} of {all} bars met", self.met);
        for missed in &self.missed {
            println!("  not met: {missed}");
        }
    }
}
