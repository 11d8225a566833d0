using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Xunit;

namespace Finery.Tests.Data.Tokenizers;

/// <summary>
/// Other tokenizers and real vocabularies, where they are installed: environment variable FINERY_NPM names a folder in whose
/// node_modules are the packages <c>tokenizers</c> and <c>tiktoken</c>; every tokenizer.json below it is taken as a vocabulary.
/// </summary>
internal static class PeerTokenizer
{
    public const string Absent = "FINERY_NPM does not name a folder with node_modules/tokenizers and node_modules/tiktoken";

    private static readonly string Script = Path.Combine(Repository.Root, "benchmarks", "Finery.Benchmarks", "peer_tokenizers.mjs");

    public static string? Folder { get; } =
        Environment.GetEnvironmentVariable("FINERY_NPM") is { Length: > 0 } folder
        && new[] { "tokenizers", "tiktoken" }.All(package => Directory.Exists(Path.Combine(folder, "node_modules", package)))
            ? Path.GetFullPath(folder) : null;

    /// <summary>Real files, as paths relative to <see cref="Folder"/>; "" where there is none, as a theory needs a case.</summary>
    public static IEnumerable<string> Vocabularies => Folder is null ? [""] : Directory
        .EnumerateFiles(Folder, "tokenizer.json", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(Folder, file).Replace('\\', '/')).Order(StringComparer.Ordinal);

    /// <summary>Ids of every document and the text they decode to.</summary>
    /// <param name="peer">hf or tiktoken.</param>
    /// <param name="vocabulary">A tokenizer.json or an encoding of tiktoken.</param>
    /// <param name="documents">Valid Unicode.</param>
    /// <param name="ordinary">Whether special tokens in text are ordinary text.</param>
    public static (int[][] Ids, string[] Texts) Encode(
        string peer, string vocabulary, IEnumerable<string> documents, bool ordinary = false)
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            string texts = Path.Combine(folder, "texts"), ids = Path.Combine(folder, "ids"), decoded = Path.Combine(folder, "decoded");
            File.WriteAllLines(texts, documents.Select(text => JsonSerializer.Serialize(text)));
            Ask(peer, vocabulary, $"write\t{ids}\t{decoded}", ["--documents", texts, .. ordinary ? ["--special", "ordinary"] : Array.Empty<string>()]);
            return (ReadIds(File.ReadAllBytes(ids)), [.. File.ReadLines(decoded).Select(line => JsonSerializer.Deserialize<string>(line)!)]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>tiktoken's rank file of one of its encodings.</summary>
    public static string Ranks(string encoding)
    {
        string file = Path.GetTempFileName();
        try
        {
            Ask("tiktoken", encoding, $"ranks\t{file}", []);
            return File.ReadAllText(file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static void Ask(string peer, string vocabulary, string command, string[] options)
    {
        var start = new ProcessStartInfo("node",
            [Script, "--npm", Folder!, "--peer", peer, "--vocabulary", vocabulary, .. options])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardInput.WriteLine(command);
        process.StandardInput.Close();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0 && output.TrimEnd().EndsWith("done", StringComparison.Ordinal), output + errors.Result);
    }

    private static int[][] ReadIds(byte[] bytes)
    {
        ReadOnlySpan<int> values = MemoryMarshal.Cast<byte, int>(bytes);
        var documents = new List<int[]>();
        for (int at = 0; at < values.Length; at += 1 + values[at]) documents.Add(values.Slice(at + 1, values[at]).ToArray());
        return [.. documents];
    }
}
