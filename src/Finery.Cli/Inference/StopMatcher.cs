namespace Finery.Cli.Inference;

/// <summary>
/// Ends a text at the first stop sequence without ever letting a part of one out: text that may be the beginning of a stop
/// sequence is held back until it is decided. Sequences split over any number of pieces are found.
/// </summary>
/// <param name="stops">Non-empty stop sequences; compared ordinally.</param>
public sealed class StopMatcher(IReadOnlyList<string> stops)
{
    private string _held = "";

    /// <summary>Whether a stop sequence was found; nothing comes out afterwards.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Adds text.</summary>
    /// <returns>What can be shown now.</returns>
    public string Push(string text)
    {
        if (Stopped || text.Length == 0) return "";
        if (stops.Count == 0) return text;
        _held += text;
        int at = -1;
        foreach (string stop in stops)
        {
            int found = _held.IndexOf(stop, StringComparison.Ordinal);
            if (found >= 0 && (at < 0 || found < at)) at = found;
        }
        if (at >= 0)
        {
            Stopped = true;
            string before = _held[..at];
            _held = "";
            return before;
        }
        int keep = LongestPossibleBeginning();
        string shown = _held[..^keep];
        _held = _held[^keep..];
        return shown;
    }

    /// <summary>At the end of the text: what was held back and turned out not to be a stop sequence.</summary>
    public string Flush()
    {
        string rest = Stopped ? "" : _held;
        _held = "";
        return rest;
    }

    private int LongestPossibleBeginning()
    {
        int longest = 0;
        foreach (string stop in stops)
        {
            for (int length = Math.Min(stop.Length - 1, _held.Length); length > longest; length--)
            {
                if (_held.AsSpan(_held.Length - length).SequenceEqual(stop.AsSpan(0, length))) longest = length;
            }
        }
        return longest;
    }
}
