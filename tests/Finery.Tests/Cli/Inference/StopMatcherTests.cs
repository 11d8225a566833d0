using Finery.Cli.Inference;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Finery.Tests.Cli.Inference;

public class StopMatcherTests
{
    [Theory]
    [InlineData("one STOP two", "STOP", "one ")]
    [InlineData("aaab", "aab", "a")]
    [InlineData("no stop here", "STOP", "no stop here")]
    [InlineData("ends with STO", "STOP", "ends with STO")]
    [InlineData("STOP", "STOP", "")]
    public void Text_ends_before_the_first_stop_sequence_however_it_is_cut(string text, string stop, string expected)
    {
        for (int size = 1; size <= text.Length; size++)
            Assert.Equal(expected, Run([stop], text.Chunk(size).Select(part => new string(part))));
    }

    [Fact]
    public void The_earliest_of_several_stops_wins()
    {
        Assert.Equal("a", Run(["xyz", "bc"], ["a", "b", "c", "x", "y", "z"]));
    }

    [Fact]
    public void Nothing_of_a_stop_sequence_is_shown_before_it_is_decided()
    {
        var matcher = new StopMatcher(["<end>"]);
        Assert.Equal("text ", matcher.Push("text <e"));
        Assert.Equal("", matcher.Push("nd"));
        Assert.Equal("<end of it", matcher.Push(" of it"));
        Assert.False(matcher.Stopped);
    }

    [Fact]
    public void Equals_the_plain_search_on_random_text()
    {
        var letters = Gen.Elements('a', 'b').ArrayOf().Select(array => new string(array));
        Prop.ForAll(letters.ListOf().ToArbitrary(), letters.Where(stop => stop.Length > 0).ArrayOf()
            .ToArbitrary(), (parts, stops) =>
        {
            string whole = string.Concat(parts);
            int end = stops.Select(stop => whole.IndexOf(stop, StringComparison.Ordinal)).Where(at => at >= 0)
                .DefaultIfEmpty(whole.Length).Min();
            // A longer stop that begins earlier may still be open when a shorter one inside it completes; the shorter ends the
            // text then.
            string shown = Run(stops, parts);
            return whole.StartsWith(shown, StringComparison.Ordinal)
                && stops.All(stop => !shown.Contains(stop, StringComparison.Ordinal))
                && shown.Length >= end;
        }).QuickCheckThrowOnFailure();
    }

    private static string Run(IReadOnlyList<string> stops, IEnumerable<string> parts)
    {
        var matcher = new StopMatcher(stops);
        var shown = new System.Text.StringBuilder();
        foreach (string part in parts)
        {
            shown.Append(matcher.Push(part));
            if (matcher.Stopped) return shown.ToString();
        }
        return shown.Append(matcher.Flush()).ToString();
    }
}
