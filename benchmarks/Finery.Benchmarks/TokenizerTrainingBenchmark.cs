using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Finery.Data.Readers;
using Finery.Data.Tokenizers;

namespace Finery.Benchmarks;

/// <summary>
/// Trains a tokenizer on the SDK's documentation and the files given, repeated with edits up to a size:
/// <c>tokenizer-training [FILE...] [--gigabytes 1] [--vocab 32768] [--threads 2]</c>. One JSON line; the digest of the tokenizer must
/// not depend on the threads. A process measures one case, as its highest memory is that of its life.
/// </summary>
internal static class TokenizerTrainingBenchmark
{
    // One word in 32 has two other letters and every other number is another one: distinct chunks keep growing as in new text.
    private const int WordsPerEdit = 32, NumbersPerEdit = 2, LettersPerEdit = 2;

    public static void Run(string[] args)
    {
        double gigabytes = 1;
        int vocab = 32_768, threads = Environment.ProcessorCount;
        var files = new List<string>();
        for (int i = 0; i < args.Length; i++)
        {
            if (!args[i].StartsWith("--", StringComparison.Ordinal))
            {
                files.Add(args[i]);
                continue;
            }
            string value = i + 1 < args.Length ? args[++i] : throw new FormatException($"{args[i]} needs a value.");
            if (args[i - 1] == "--gigabytes") gigabytes = double.Parse(value, CultureInfo.InvariantCulture);
            else if (args[i - 1] == "--vocab") vocab = int.Parse(value, CultureInfo.InvariantCulture);
            else if (args[i - 1] == "--threads") threads = int.Parse(value, CultureInfo.InvariantCulture);
            else throw new FormatException($"Unknown option '{args[i - 1]}'.");
        }
        string[] documents = [.. new DotNetDocumentationReader().Read(new ReadReport()).Select(document => document.Text),
            .. files.Count == 0 ? [] : DocumentReader.ForPaths(files).Read(new ReadReport()).Select(document => document.Text)];
        long bytes = (long)(gigabytes * 1e9), before = Environment.WorkingSet;
        long start = Stopwatch.GetTimestamp();
        foreach (string _ in Texts(documents, bytes / 10)) { }
        double making = 10 * Stopwatch.GetElapsedTime(start).TotalSeconds;

        start = Stopwatch.GetTimestamp();
        var training = new BpeTrainer { VocabSize = vocab, Threads = threads }.Run(Texts(documents, bytes));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Console.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["case"] = $"tokenizer-training {vocab}",
            ["threads"] = threads,
            ["seconds"] = Math.Round(seconds, 1),
            ["counting_seconds"] = Math.Round(training.Counting.TotalSeconds, 1),
            ["merging_seconds"] = Math.Round(training.Merging.TotalSeconds, 1),
            ["making_text_seconds"] = Math.Round(making, 1), // within the counting, which overlaps it
            ["bytes"] = training.Bytes,
            ["chunks"] = training.Chunks,
            ["distinct_chunks"] = training.DistinctChunks,
            ["tokens"] = training.Tokenizer.VocabSize,
            ["peak_mib"] = Measurement.PeakResident() >> 20,
            ["source_mib"] = before >> 20,
            ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(TokenizerFile.ToJson(training.Tokenizer)))),
        }));
    }

    /// <summary>The documents again and again, edited from the second time on: the same texts at each call.</summary>
    public static IEnumerable<string> Texts(IReadOnlyList<string> documents, long bytes)
    {
        ulong state = 1;
        for (int round = 0; bytes > 0; round++)
        {
            foreach (string document in documents)
            {
                string text = round == 0 ? document : Edited(document, ref state);
                yield return text;
                if ((bytes -= Encoding.UTF8.GetByteCount(text)) <= 0) yield break;
            }
        }
    }

    private static string Edited(string text, ref ulong state)
    {
        char[] letters = text.ToCharArray();
        for (int at = 0, end; at < letters.Length; at = end)
        {
            end = at + 1;
            if (char.IsAsciiDigit(letters[at]))
            {
                while (end < letters.Length && char.IsAsciiDigit(letters[end])) end++;
                if (Next(ref state) % NumbersPerEdit > 0) continue;
                for (int i = at; i < end; i++) letters[i] = (char)('0' + (Next(ref state) % 10));
            }
            else if (char.IsLetter(letters[at]))
            {
                while (end < letters.Length && char.IsLetter(letters[end])) end++;
                if (Next(ref state) % WordsPerEdit > 0) continue;
                for (int i = 0; i < LettersPerEdit; i++)
                {
                    int place = at + (int)(Next(ref state) % (ulong)(end - at)), other = at + (int)(Next(ref state) % (ulong)(end - at));
                    if (char.IsAscii(letters[place])) letters[place] = (char)('a' + (Next(ref state) % 26));
                    else (letters[place], letters[other]) = (letters[other], letters[place]);
                }
            }
        }
        return new string(letters);
    }

    /// <summary>SplitMix64.</summary>
    private static ulong Next(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
