using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Finery.Data.Writers;

namespace Finery.Data.Filters.Unigrams;

/// <summary>
/// How often each word occurs in a corpus. Made from texts by <see cref="Add"/>, kept in a file of lines <c>word TAB
/// count</c>, most frequent first. Reading is thread-safe, adding is not.
/// </summary>
public sealed class UnigramTable
{
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    private static readonly Lazy<UnigramTable> s_english = new(() =>
    {
        using var stream = typeof(UnigramTable).Assembly.GetManifestResourceStream("english-unigrams.tsv")!;
        return Read(new StreamReader(stream), "english-unigrams.tsv");
    });

    /// <summary>An empty table.</summary>
    public UnigramTable() => _lookup = _counts.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>24,000 English words and marks: counted in Python's enhancement proposals, word problems, news articles and the
    /// documentation of .NET, weighted so that none of them rules. Small and technical; a table of the corpus at hand is
    /// better.</summary>
    public static UnigramTable English => s_english.Value;

    /// <summary>Number of different words.</summary>
    public int Words => _counts.Count;

    /// <summary>Number of all words counted.</summary>
    public long Total { get; private set; }

    /// <summary>Counts the words of a text in lower case, punctuation included.</summary>
    public void Add(string text)
    {
        Span<char> buffer = stackalloc char[256];
        foreach (var range in Filters.Words.Split(text))
            if (Normalize(text.AsSpan(range), buffer) is { Length: > 0 } word)
                AddCount(word, 1);
    }

    /// <summary>Adds the counts of another table: the sum does not depend on how a corpus was cut into parts.</summary>
    public void Merge(UnigramTable other)
    {
        foreach (var (word, count) in other._counts)
            AddCount(word, count);
    }

    /// <summary>Occurrences of a word, whatever its case.</summary>
    public long Count(ReadOnlySpan<char> word)
    {
        Span<char> buffer = stackalloc char[256];
        return Normalize(word, buffer) is { Length: > 0 } normal && _lookup.TryGetValue(normal, out var count) ? count : 0;
    }

    /// <summary>Share of a word in all words; 0 if there is none.</summary>
    public double Frequency(ReadOnlySpan<char> word) => Total == 0 ? 0 : Count(word) / (double)Total;

    /// <summary>Forgets words that occur less often.</summary>
    public void Prune(long minCount)
    {
        foreach (var (word, count) in _counts.Where(e => e.Value < minCount).ToList())
        {
            _counts.Remove(word);
            Total -= count;
        }
    }

    /// <summary>Writes the table.</summary>
    public void Save(string path) => AtomicFile.Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
        foreach (var (word, count) in _counts.OrderByDescending(e => e.Value).ThenBy(e => e.Key, StringComparer.Ordinal))
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{word}\t{count}"));
    });

    /// <summary>Reads a table: a word, a tab or comma, and its count on each line; a heading <c>word,count</c> is passed
    /// over.</summary>
    /// <exception cref="InvalidDataException">A line is none, or there is no line.</exception>
    public static UnigramTable Load(string path)
    {
        using var reader = new StreamReader(path);
        return Read(reader, path);
    }

    private static UnigramTable Read(StreamReader reader, string path)
    {
        var table = new UnigramTable();
        for (var number = 1; reader.ReadLine() is { } line; number++)
        {
            var cut = line.AsSpan().LastIndexOfAny('\t', ',');
            if (cut > 0 && long.TryParse(line.AsSpan(cut + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
                table.AddCount(line.AsSpan(0, cut), count);
            else if (number > 1 || cut <= 0)
                throw new InvalidDataException($"{path}:{number}: not a word, a tab or comma, and a count.");
        }
        return table.Total > 0 ? table : throw new InvalidDataException($"'{path}' has no counted word.");
    }

    private void AddCount(ReadOnlySpan<char> word, long count)
    {
        CollectionsMarshal.GetValueRefOrAddDefault(_lookup, word, out _) += count;
        Total += count;
    }

    /// <summary>The word in lower case; empty if it is too long to be any.</summary>
    private static ReadOnlySpan<char> Normalize(ReadOnlySpan<char> word, Span<char> buffer) =>
        word.Length > buffer.Length ? [] : buffer[..word.ToLowerInvariant(buffer)];
}
