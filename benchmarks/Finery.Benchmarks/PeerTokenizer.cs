using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Finery.Benchmarks;

/// <summary>A peer's tokenizer, waiting in a process of its own (peer_tokenizers.mjs, which documents the commands) for its turns.</summary>
internal sealed class PeerTokenizer : IDisposable
{
    private readonly Process _process;
    private readonly string _texts = Path.GetTempFileName();

    private PeerTokenizer(string npm, string peer, string vocabulary, IEnumerable<string> documents, int threads)
    {
        Name = peer;
        File.WriteAllLines(_texts, documents.Select(text => JsonSerializer.Serialize(text)));
        var start = new ProcessStartInfo("node",
        [
            Path.Combine(AppContext.BaseDirectory, "peer_tokenizers.mjs"), "--npm", npm, "--peer", peer, "--vocabulary", vocabulary,
            "--documents", _texts, "--special", "ordinary",
        ])
        { RedirectStandardInput = true, RedirectStandardOutput = true };
        start.Environment["RAYON_NUM_THREADS"] = threads.ToString(CultureInfo.InvariantCulture);
        _process = Process.Start(start)!;
        LoadSeconds = Numbers(_process.StandardOutput.ReadLine())[0];
    }

    /// <summary>hf (HF's Rust library) or tiktoken (OpenAI's, compiled to WebAssembly).</summary>
    public string Name { get; }

    /// <summary>Seconds to load the vocabulary.</summary>
    public double LoadSeconds { get; }

    /// <summary>Starts one; null, with the reason printed, where it is not installed or cannot load the vocabulary.</summary>
    public static PeerTokenizer? Start(string npm, string peer, string vocabulary, IEnumerable<string> documents, int threads)
    {
        try
        {
            return new(npm, peer, vocabulary, documents, threads);
        }
        catch (Exception exception) when (exception is System.ComponentModel.Win32Exception or IOException)
        {
            Console.Error.WriteLine($"{peer} does not run ({exception.Message}): no such peer.");
            return null;
        }
    }

    /// <summary>One pass over the documents: encode, fresh or decode.</summary>
    public (double Seconds, long Tokens) Run(string command)
    {
        _process.StandardInput.WriteLine(command);
        double[] numbers = Numbers(_process.StandardOutput.ReadLine());
        return (numbers[0], (long)numbers[1]);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
        File.Delete(_texts);
    }

    private static double[] Numbers(string? line)
    {
        string numbers = (line ?? throw new IOException("it ended without an answer")).Replace("ready ", "", StringComparison.Ordinal);
        return [.. numbers.Split(' ').Select(number => double.Parse(number, CultureInfo.InvariantCulture))];
    }
}
