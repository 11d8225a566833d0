using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Tokenizers;
using Finery.Data.Writers;
using Finery.Tests.Data.Tokenizers;
using Finery.Tests.Models;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Workflow.Steps;

public sealed class TrainTokenizerStepTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static Artifact Documents(string path, string? producer = null) => new(ArtifactKind.Documents, path, producer);

    private (Tokenizer Tokenizer, JsonObject Report, RecordingContext Context) Train(TrainTokenizerStep step)
    {
        using var context = new RecordingContext();
        step.Run(context);
        return (TokenizerFile.Load(context.Output("tokenizer")),
            (JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(context.Folder, TrainTokenizerStep.ReportFile)))!, context);
    }

    [Fact]
    public void Trains_on_folders_of_documents_and_reports_by_language_and_domain()
    {
        string[] texts = Samples.PlainTexts(300);
        using (var writer = new JsonLinesWriter(_folder["documents/00000.jsonl.gz"]))
        {
            for (int i = 0; i < texts.Length; i++)
            {
                writer.Write(new Document($"d{i}", texts[i])
                {
                    Metadata = { ["language"] = i % 2 == 0 ? "en" : "xx", ["url"] = $"https://site{i % 3}.example/{i}" },
                });
            }
            writer.Commit();
        }
        var step = new TrainTokenizerStep { Documents = [Documents(_folder["documents"], "split")], VocabSize = 512 };
        var (tokenizer, report, context) = Train(step);
        Assert.Equal(TokenizerFile.ToJson(new BpeTrainer { VocabSize = 512 }.Train(texts)), TokenizerFile.ToJson(tokenizer));
        Assert.Equal(300, (int)report["training"]!["texts"]!);
        Assert.Equal(0, (int)report["training"]!["dropped_chunks"]!);
        Assert.Equal(["en", "xx"], ((JsonArray)report["sample"]!["by_language"]!).Select(group => (string)group!["name"]!).Order());
        Assert.Equal(["site0.example", "site1.example", "site2.example"],
            ((JsonArray)report["sample"]!["by_domain"]!).Select(group => (string)group!["name"]!).Order());
        Assert.Equal(512, (int)context.Summary["vocab_size"]!);
        Assert.InRange((double)context.Summary["bytes_per_token"]!, 1.5, 8);
        Assert.DoesNotContain(context.Lines, line => line.Contains("useful tokens") || line.Contains("left out"));
    }

    [Fact]
    public void Takes_text_files_and_json_lines_by_path_and_sets_a_reference_beside()
    {
        string[] texts = Samples.PlainTexts(300);
        Directory.CreateDirectory(_folder["texts"]);
        for (int i = 0; i < 20; i++) File.WriteAllText(_folder[$"texts/{i:D2}.txt"], texts[i]);
        File.WriteAllLines(_folder["more.jsonl"], texts[20..].Select(text => new JsonObject { ["text"] = text }.ToJsonString()));
        TokenizerFile.Save(Samples.Tokenizer, _folder["reference"]);
        var (tokenizer, report, context) = Train(new TrainTokenizerStep
        {
            Documents = [Documents(_folder["texts"]), Documents(_folder["more.jsonl"])],
            VocabSize = 512,
            MaxTokenBytes = 5,
            Reference = new Artifact(ArtifactKind.Tokenizer, _folder["reference"]),
        });
        Assert.Equal(
            TokenizerFile.ToJson(new BpeTrainer { VocabSize = 512, MaxTokenLength = 6 }.Train(texts)), TokenizerFile.ToJson(tokenizer));
        Assert.Equal(5, Enumerable.Range(0, tokenizer.VocabSize).Max(tokenizer.ByteLength));
        Assert.Equal(600, (int)report["sample"]!["reference"]!["vocab_size"]!);
        Assert.True((double)context.Summary["reference_bytes_per_token"]! > (double)context.Summary["bytes_per_token"]!);
    }

    [Fact]
    public void Says_what_it_left_out()
    {
        File.WriteAllText(_folder["a.txt"], string.Join(' ', Enumerable.Range(0, 400).Select(i => $"word{(char)('a' + (i % 26))} <|pad|>")));
        var (_, _, context) = Train(new TrainTokenizerStep { Documents = [Documents(_folder["a.txt"])], MaxDocumentChars = 2000 });
        Assert.Contains(context.Lines, line => line.Contains("useful tokens"));
        Assert.Contains(context.Lines, line => line.Contains("<|pad|> 400 times"));
    }

    [Fact]
    public void Impossible_settings_are_named()
    {
        var step = new TrainTokenizerStep { Documents = [Documents("x")] };
        Assert.Empty(step.Validate());
        Assert.Equal([nameof(step.Documents)], (step with { Documents = [] }).Validate().Select(problem => problem.Property));
        Assert.Equal([nameof(step.MaxTokenBytes)], (step with { MaxTokenBytes = 1 }).Validate().Select(problem => problem.Property));
    }
}
