using Finery.Data;
using Finery.Data.Writers;
using Finery.Tests.EndToEnd;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Workflow.Steps;

public sealed class DialoguesStepTests : IDisposable
{
    private readonly RecordingContext _context = new();

    public void Dispose() => _context.Dispose();

    [Fact]
    public void Questions_have_four_different_choices_of_which_the_answer_is_right()
    {
        var documents = Documents("docs", 200);
        Run(documents, documents);
        var questions = Question.Load(_context.Output("questions.jsonl"));
        Assert.True(questions.Count > 100);
        Assert.All(questions, question => Assert.Equal(4, question.Choices.Distinct().Count()));
        // The place of the right answer gives nothing away.
        Assert.All(questions.GroupBy(question => question.Answer), group => Assert.InRange(group.Count(), questions.Count / 8, questions.Count / 2));
        var answers = File.ReadLines(_context.Output("conversations.jsonl")).ToHashSet();
        Assert.All(questions.Take(20), question => Assert.Contains(answers, line => line.Contains(question.Choices[question.Answer])));
    }

    [Fact]
    public void A_rejected_answer_is_never_the_chosen_one_and_comes_from_a_sibling_where_there_is_one()
    {
        var documents = Documents("docs", 300);
        Run(documents, documents);
        var rows = JsonLinesFile.Read(_context.Output("preferences.jsonl")).ToList();
        Assert.True(rows.Count > 250);
        Assert.All(rows, row => Assert.NotEqual(row.Messages("chosen")[0].Content, row.Messages("rejected")[0].Content));
    }

    [Fact]
    public void The_same_documents_give_the_same_bytes_in_any_order()
    {
        var lines = SmallCorpus.Lines(100).ToArray();
        Run(Documents("a", 100), Documents("a", 100));
        byte[] first = File.ReadAllBytes(_context.Output("preferences.jsonl"));
        var reversed = Write("b", lines.Reverse());
        Run(reversed, reversed);
        Assert.Equal(first, File.ReadAllBytes(_context.Output("preferences.jsonl")));
    }

    [Fact]
    public void Too_few_held_out_documents_give_no_questions_and_say_so()
    {
        Run(Documents("many", 50), Documents("few", 3));
        Assert.Empty(Question.Load(_context.Output("questions.jsonl")));
        Assert.Contains(_context.Lines, line => line.StartsWith("warning: no questions", StringComparison.Ordinal));
    }

    private void Run(Artifact train, Artifact heldout) => new DialoguesStep { Train = train, Heldout = heldout }.Run(_context);

    private Artifact Documents(string name, int count) => Write(name, SmallCorpus.Lines(count));

    private Artifact Write(string name, IEnumerable<string> lines)
    {
        string folder = Path.Combine(_context.Folder, name);
        using var writer = new JsonLinesWriter(Path.Combine(folder, "00000.jsonl.gz"));
        foreach (string line in lines)
        {
            var json = System.Text.Json.Nodes.JsonNode.Parse(line)!;
            writer.Write(new Document((string)json["id"]!, (string)json["text"]!) { Metadata = json["metadata"]!.DeepClone().AsObject() });
        }
        writer.Commit();
        return new(ArtifactKind.Documents, folder);
    }
}
