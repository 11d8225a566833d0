using System.Security.Cryptography;
using System.Text.Json;
using Finery.Data.Curation;
using Finery.Data.Readers;
using Finery.Tests.Data.Readers;
using Xunit;

namespace Finery.Tests.EndToEnd;

/// <summary><c>finery curate</c> as a user runs it.</summary>
public sealed class CurateTests : IDisposable
{
    private const int MaxKills = 12;

    private readonly string _folder = Directory.CreateTempSubdirectory("finery-curate-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Killed_at_any_moment_and_started_again_it_ends_with_the_same_bytes_and_statistics()
    {
        string recipe = WriteRecipe(), input = WriteCorpus();
        var (code, output) = FineryProcess.Run("curate", recipe, "--input", input, "--out", Out("whole"), "--workers", "2");
        Assert.True(code == 0, output);

        var random = new Random(2);
        int kills = 0;
        while (true)
        {
            using var process = FineryProcess.Start("curate", recipe, "--input", input, "--out", Out("killed"), "--workers", "1");
            process.ExitsBefore(() => process.Output.Contains(": started"));
            if (process.WaitForExit(kills == MaxKills ? 300_000 : random.Next(900)))
            {
                process.WaitForExit();
                Assert.True(process.ExitCode == 0, process.Output);
                break;
            }
            process.Kill();
            kills++;
        }
        Assert.True(kills >= 2, $"killed only {kills} times");
        Assert.Equal(Results("whole"), Results("killed"));
    }

    [Fact]
    public void Ranks_as_processes_at_once_give_the_bytes_of_one()
    {
        string recipe = WriteRecipe(), input = WriteCorpus();
        Assert.Equal(0, FineryProcess.Run("curate", recipe, "--input", input, "--out", Out("one")).ExitCode);
        var ranks = Enumerable.Range(0, 3).Select(rank => FineryProcess.Start(
            "curate", recipe, "--input", input, "--out", Out("three"), "--rank", $"{rank}", "--world", "3", "--wait")).ToList();
        foreach (var process in ranks)
        {
            using (process)
            {
                process.WaitForExit();
                Assert.True(process.ExitCode == 0, process.Output);
            }
        }
        Assert.Equal(Results("one"), Results("three"));
    }

    [Fact]
    public void The_FineWeb_preset_handles_a_crawl_with_planted_faults()
    {
        string crawl = SharedData.Path("warc", "articles.warc.gz");
        var (code, output) = FineryProcess.Run("curate", "fineweb", "--input", crawl, "--out", Out("fineweb"));
        Assert.True(code == 0, output);
        var statistics = CurationStatistics.FromJson(File.ReadAllText(Path.Combine(Out("fineweb"), "statistics.json")));
        Assert.Equal(1, statistics.Skipped["not_text"].Count);
        Assert.Equal(1, statistics.Skipped["damaged_member"].Count);
        var kept = new JsonLinesReader { Paths = [Path.Combine(Out("fineweb"), "documents", "*")] }.Read(new()).ToList();
        Assert.Equal(1, statistics.Repaired["truncated_record"].Count);
        // Mirrors, addresses with a tracking parameter and the chunked copy are duplicates of pages that came before them.
        Assert.DoesNotContain(kept, document => Url(document.Metadata) is var url
            && (url.Contains("mirror.") || url.Contains("utm_source") || url.Contains("chunked.example")));
        Assert.Equal(7, statistics.Stages.Single(stage => stage.Name == "minhash").Dropped["near_duplicate"].Documents);
        Assert.All(kept, document => Assert.Equal(Url(document.Metadata).EndsWith("/truncated"),
            document.Metadata["truncated"] is not null));
        Assert.All(kept, document => Assert.Equal("en", (string)document.Metadata["language"]!));
        Assert.DoesNotContain(kept, document => document.Text.Contains("</"));

        var (explained, text) = FineryProcess.Run("curate", "explain", kept[0].Id, "--out", Out("fineweb"));
        Assert.True(explained == 0, text);
        Assert.Contains("top_2_gram", text);
        Assert.EndsWith("Kept." + Environment.NewLine, text);
    }

    [Fact]
    public void What_cannot_be_done_is_said_in_a_line()
    {
        Assert.Contains("Did you mean 'fineweb'?", Fails(2, "curate", "finweb", "--input", "x"));
        Assert.Contains("No file matches", Fails(2, "curate", "extract", "--input", Path.Combine(_folder, "missing.warc.gz")));
        File.WriteAllText(Path.Combine(_folder, "empty.jsonl"), "");
        Assert.Contains("Nothing was read",
            Fails(1, "curate", WriteRecipe(), "--input", Path.Combine(_folder, "empty.jsonl"), "--out", Out("empty")));
        Assert.Contains("is not the folder of a curation", Fails(2, "curate", "explain", "a", "--out", Out("nothing")));
        Assert.Equal(0, FineryProcess.Run("curate", WriteRecipe(), "--input", WriteCorpus(), "--out", Out("done")).ExitCode);
        Assert.Contains("settings.part_megabytes is 2 there, 3 now", Fails(
            2, "curate", WriteRecipe(), "--input", WriteCorpus(), "--out", Out("done"), "--set", "curate.part_megabytes=3"));
        Assert.Contains("has no document with the id", Fails(2, "curate", "explain", "absent", "--out", Out("done")));
        Assert.Contains("rank",
            Fails(1, "curate", WriteRecipe(), "--input", WriteCorpus(), "--out", Out("rank"), "--rank", "3", "--world", "2"));
    }

    private string Fails(int code, params string[] arguments)
    {
        var (exit, output) = FineryProcess.Run(arguments);
        Assert.True(exit == code, $"exit {exit}: {output}");
        return output;
    }

    private static string Url(System.Text.Json.Nodes.JsonObject metadata) => (string?)metadata["url"] ?? "";

    private string Out(string name) => Path.Combine(_folder, name);

    private Dictionary<string, string> Results(string name) => new[] { "documents", "dropped" }
        .SelectMany(folder => Directory.GetFiles(Path.Combine(Out(name), folder), "*", SearchOption.AllDirectories))
        .Append(Path.Combine(Out(name), "statistics.json"))
        .ToDictionary(path => Path.GetRelativePath(Out(name), path),
            path => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path))));

    private string WriteCorpus()
    {
        string path = Path.Combine(_folder, "corpus.jsonl");
        if (File.Exists(path)) return path;
        var random = new Random(5);
        string[] words = [.. Enumerable.Range(0, 400).Select(i => $"word{i}")];
        string Sentence() => string.Join(' ', Enumerable.Range(0, 12).Select(_ => words[random.Next(words.Length)])) + ".";
        string last = Sentence();
        File.WriteAllLines(path, Enumerable.Range(0, 20_000).Select(i =>
        {
            last = random.Next(5) == 0 ? last + " again"
                : string.Join("\n", Enumerable.Range(0, random.Next(2, 9)).Select(_ => Sentence()));
            return JsonSerializer.Serialize(new { id = $"d{i}", text = last,
                metadata = new { url = $"https://h{i % 50}.example/{i}" } });
        }));
        return path;
    }

    private string WriteRecipe()
    {
        string path = Path.Combine(_folder, "recipe.yaml");
        File.WriteAllText(path, """
            name: small
            steps:
              curate:
                type: curate
                part_megabytes: 2
                checkpoint_megabytes: 1
                stages:
                  - stage: length
                    min_words: 30
                  - stage: gopher_repetition
                  - stage: minhash
                  - stage: pii
                output: { format: jsonl_zst }
            """);
        return path;
    }
}
