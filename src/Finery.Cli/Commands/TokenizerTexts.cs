using System.Globalization;
using System.Text;
using Finery.Cli.Terminal;
using Finery.Data.Readers;

namespace Finery.Cli.Commands;

/// <summary>Texts and ids that the <c>tokenizer</c> commands read from files, one at a time.</summary>
internal static class TokenizerTexts
{
    /// <summary>Texts of files: each document of JSON Lines; any other file as UTF-8 text, whole or by line.</summary>
    /// <param name="patterns">Files or globs.</param>
    /// <param name="lines">Whether a text file is one text a line, without the line's end.</param>
    /// <param name="report">Counts what is skipped.</param>
    public static IEnumerable<string> Read(IEnumerable<string> patterns, bool lines, ReadReport report)
    {
        foreach (string path in Expand(patterns))
        {
            bool isJson = path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase)
                || path.EndsWith(".jsonl.gz", StringComparison.OrdinalIgnoreCase);
            var texts = isJson ? new JsonLinesReader { Paths = [path] }.Read(report).Select(document => document.Text)
                : lines ? Lines(path) : [Whole(path)];
            foreach (string text in texts) yield return text;
        }
    }

    /// <summary>Files that patterns stand for.</summary>
    /// <exception cref="UsageException">One stands for none.</exception>
    public static IReadOnlyList<string> Expand(IEnumerable<string> patterns)
    {
        try
        {
            return FileGlob.ExpandAll(patterns);
        }
        catch (FileNotFoundException missing)
        {
            throw new UsageException($"--input: {missing.Message}");
        }
    }

    /// <summary>Says on stderr what was skipped.</summary>
    public static void Warn(ReadReport report, Streams streams)
    {
        foreach (var (reason, items) in report.Skipped)
            streams.Messages.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"finery: {items.Count} items skipped for {reason}, first {items.FirstExample}"));
    }

    /// <summary>Numbers between spaces, commas, brackets and line ends; a line end itself is null.</summary>
    public static IEnumerable<string?> Words(TextReader reader)
    {
        var word = new StringBuilder();
        char[] buffer = new char[1 << 16];
        for (int read; (read = reader.Read(buffer)) > 0;)
        {
            for (int i = 0; i < read; i++)
            {
                bool ends = buffer[i] is ' ' or ',' or '\n' or '\r' or '\t' or '[' or ']';
                if (!ends) word.Append(buffer[i]);
                if (word.Length > 0 && (ends || word.Length > 40)) // no number is as long
                {
                    yield return word.ToString();
                    word.Clear();
                }
                if (buffer[i] == '\n') yield return null;
            }
        }
        if (word.Length > 0) yield return word.ToString();
    }

    /// <summary>A reader of UTF-8 that takes every byte as it is, or fails.</summary>
    public static StreamReader Open(string path) =>
        new(path, new UTF8Encoding(false, throwOnInvalidBytes: true), detectEncodingFromByteOrderMarks: false, 1 << 16);

    private static string Whole(string path)
    {
        // A string has at most 2^30 characters.
        if (new FileInfo(path).Length > 1 << 30)
            throw new UsageException($"{path} is larger than 1 GiB, too much for one text; with --lines each line is a text.");
        using var reader = Open(path);
        return Checked(path, reader.ReadToEnd);
    }

    /// <summary>Lines until there is none.</summary>
    public static IEnumerable<string> Lines(Func<string?> read)
    {
        while (read() is { } line) yield return line;
    }

    private static IEnumerable<string> Lines(string path)
    {
        using var reader = Open(path);
        foreach (string line in Lines(() => Checked(path, reader.ReadLine))) yield return line;
    }

    private static T Checked<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (DecoderFallbackException problem)
        {
            throw new InvalidDataException($"{path} is not valid UTF-8; convert it first.", problem);
        }
    }
}
