using System.Globalization;

namespace Finery.Workflow.Recipes;

/// <summary>Collects what is wrong with a recipe and shows the lines it is about.</summary>
/// <param name="file">Name of the recipe file.</param>
/// <param name="text">Its text.</param>
internal sealed class RecipeErrors(string file, string text)
{
    /// <summary>More than anyone reads; bounds the answer to a hostile file.</summary>
    private const int MaxErrors = 200;

    private const int SnippetLength = 100;

    private readonly List<RecipeError> _errors = [];
    private readonly List<(string File, Lazy<string[]> Lines)> _files = [(file, Lines(text))];

    public int Count => _errors.Count;

    /// <summary>Another file that errors may point into.</summary>
    public void AddFile(string file, string text) => _files.Add((file, Lines(text)));

    /// <summary>All of them once, by file and position; those of overrides last, in the order they were found.</summary>
    public IReadOnlyList<RecipeError> Sorted() => [.. _errors.Distinct()
        .OrderBy(error => (uint)_files.FindIndex(file => file.File == error.File)).ThenBy(error => error.Line).ThenBy(error => error.Column)];

    public void Add(Place at, string message, string? suggestion = null)
    {
        if (_errors.Count < MaxErrors) _errors.Add(new(at.File, at.Line, at.Column, Printable(message), suggestion, Snippet(at)));
    }

    private string? Snippet(Place at)
    {
        var lines = _files.Find(file => file.File == at.File).Lines;
        if (lines is null || at.Line < 1 || at.Line > lines.Value.Length) return null;
        string line = lines.Value[at.Line - 1];
        int column = Math.Clamp(at.Column - 1, 0, line.Length);
        int from = column < SnippetLength - 20 ? 0 : column - SnippetLength / 2;
        string shown = Printable(line.Substring(from, Math.Min(SnippetLength, line.Length - from)));
        string number = at.Line.ToString(CultureInfo.InvariantCulture).PadLeft(5);
        return $"{number} | {shown}\n      | {new string(' ', column - from)}^";
    }

    private static Lazy<string[]> Lines(string text) => new(() => text.ReplaceLineEndings("\n").Split('\n'));

    /// <summary>A recipe must not be able to steer the terminal.</summary>
    private static string Printable(string text) => string.Create(text.Length, text, (into, from) =>
    {
        for (int i = 0; i < into.Length; i++) into[i] = from[i] == '\t' ? ' ' : char.IsControl(from[i]) ? '?' : from[i];
    });
}

/// <summary>Finds what someone probably meant.</summary>
internal static class NearestWord
{
    /// <summary>The candidate that differs by the fewest edits (insertion, deletion, replacement, swap of neighbours), if by at
    /// most a third of the word; the first of equals.</summary>
    public static string? Of(string word, IEnumerable<string> candidates)
    {
        if (word.Length is 0 or > 64) return null;
        string? nearest = null;
        int best = Math.Max(1, word.Length / 3) + 1;
        foreach (string candidate in candidates)
        {
            int distance = Distance(word.ToLowerInvariant().Replace('-', '_'), candidate.ToLowerInvariant());
            if (distance >= best) continue;
            best = distance;
            nearest = candidate;
        }
        return nearest;
    }

    /// <summary>Optimal string alignment distance.</summary>
    private static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++) d[i, 0] = i;
        for (int j = 0; j <= b.Length; j++) d[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int cost = a[i - 1] == b[j - 1] ? 0 : 1;
                d[i, j] = Math.Min(Math.Min(d[i - 1, j] + 1, d[i, j - 1] + 1), d[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }
        return d[a.Length, b.Length];
    }
}
