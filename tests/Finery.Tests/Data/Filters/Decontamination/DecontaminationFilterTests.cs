using System.Text;
using System.Text.Json;
using Finery.Data;
using Finery.Data.Deduplication;
using Finery.Data.Filters;
using Finery.Data.Filters.Decontamination;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Filters.Decontamination;

public sealed class DecontaminationFilterTests : IDisposable
{
    // Texts and results of datatrove's test_ngrams_decont.py; the questions and answers are of the same shape as HellaSwag's.
    private static readonly string[] s_texts =
    [
        "A lady walks to a barbell. She bends down and grabs the pole.",
        "get into formation, then begin dancing and flipping as male cheerleaders join them.",
        "He is using commercial lawn mowing equipment. he walks back and forth as he mows the grass.",
        "He is using commercial lawn mowing equipment. he is animated as he does the task.",
        "walks outside plugs his lawn mower in and gets ready to mow",
        "",
        "walks outside plugs his lawn mower in and gets ready to",
    ];

    private static readonly (string Question, string Answer)[] s_examples =
    [
        ("Weights: A lady walks to a barbell. She bends down and grabs the pole. The lady", "stands and lifts the weight."),
        ("A cheerleading team runs onto the court. They",
            "get into formation, then begin dancing and flipping as male cheerleaders join them."),
        ("A man is outside of a house. He is using commercial lawn mowing equipment.",
            "he walks back and forth as he mows the grass."),
        ("A boy walks outside plugs his lawn mower in and gets ready to mow. he", "mows the lawn."),
    ];

    private readonly TemporaryFolder _folder = new();

    public DecontaminationFilterTests() => File.WriteAllLines(_folder["hellaswag.jsonl"],
        s_examples.Select(e => JsonSerializer.Serialize(new { question = e.Question, answer = e.Answer })));

    public void Dispose() => _folder.Dispose();

    private DecontaminationFilter Filter => new() { Evaluations = [new() { Paths = [_folder["hellaswag.jsonl"]] }] };

    private static Document At(int index) => new($"{index}",
        "Nothing is so painful to the human mind as a great and sudden change. "
        + s_texts[index] + " Beware; for I am fearless, and therefore powerful.");

    private static IEnumerable<int> Kept(DecontaminationFilter filter) =>
        Enumerable.Range(0, s_texts.Length).Where(i => filter.Reject(At(i)) is null);

    [Fact]
    public void Answers_questions_and_overlaps_are_found_as_in_the_reference()
    {
        Assert.Equal([0, 2, 3, 4, 5, 6], Kept(Filter with { FindOverlap = false }));
        Assert.Equal([2, 3, 5, 6], Kept(Filter with { FindOverlap = false, FindQuery = true }));
        Assert.Equal([0, 3, 4, 5, 6], Kept(Filter));
        Assert.Equal([3, 5, 6], Kept(Filter with { FindQuery = true }));
    }

    [Fact]
    public void The_run_and_its_task_are_told()
    {
        var document = new WorkingDocument(At(1));
        Filter.Apply(document);
        Assert.Equal("contaminated", document.Reason);
        Assert.Equal("get into formation then begin dancing and flipping as male cheerleaders join",
            document.GetMetadata("contaminated_ngram"));
        Assert.Equal("hellaswag", document.GetMetadata("contaminated_task"));
    }

    [Fact]
    public void Index_files_are_plain_hashes_and_serve_instead_of_the_data()
    {
        var index = (Filter with { FindOverlap = false }).BuildIndex();
        index.Save(_folder.Path);
        var bytes = File.ReadAllBytes(_folder["hellaswag.index.hashes"]);
        Assert.Equal(8 * index.Count, bytes.Length);
        var run = XxHash64.Hash(Encoding.UTF8.GetBytes(
            "get into formation then begin dancing and flipping as male cheerleaders join"));
        Assert.Contains(run, Enumerable.Range(0, index.Count).Select(i => BitConverter.ToUInt64(bytes, i * 8)));
        var filter = new DecontaminationFilter { IndexFiles = [_folder["*.index.hashes"]] };
        Assert.Equal([0, 2, 3, 4, 5, 6], Kept(filter));
        File.WriteAllBytes(_folder["bad.index.hashes"], new byte[9]);
        Assert.Throws<InvalidDataException>(() => filter.BuildIndex());
    }

    [Fact]
    public void The_first_task_of_a_run_is_kept_and_lists_of_answers_count()
    {
        var words = string.Join(' ', Enumerable.Range(0, 12).Select(i => $"word{(char)('a' + i)}"));
        File.WriteAllText(_folder["x.jsonl"], JsonSerializer.Serialize(new { gold = new[] { "short", words } }) + "\n\n");
        var data = new EvaluationData { Paths = [_folder["x.jsonl"]], LabelKey = "gold", QueryKey = "" };
        var filter = new DecontaminationFilter { Evaluations = [data with { Task = "first" }, data with { Task = "second" }] };
        var document = new WorkingDocument(new Document("id", "Before " + words.ToUpperInvariant() + ", after"));
        filter.Apply(document);
        Assert.Equal("first", document.GetMetadata("contaminated_task"));
        Assert.Null(filter.Reject(new("id", words[..words.LastIndexOf(' ')])));
    }

    [Fact]
    public void Numbers_alone_are_no_contamination()
    {
        File.WriteAllText(_folder["x.jsonl"], "{\"answer\":\"1 2 3 4 5 6 7 8 9 10 11 12 13 apples\"}\n");
        var filter = new DecontaminationFilter { Evaluations = [new() { Paths = [_folder["x.jsonl"]] }] };
        Assert.Null(filter.Reject(new("id", "12 34 56 78 90 12 34 56 78 90 12 34 56 78 pears")));
        Assert.Equal("contaminated", filter.Reject(new("id", "12 34 56 78 90 12 34 56 78 90 12 34 56 78 apples")));
    }

    [Fact]
    public void Data_without_anything_to_find_is_an_error()
    {
        File.WriteAllText(_folder["x.jsonl"], "{\"a\":1}\n");
        var filter = new DecontaminationFilter { Evaluations = [new() { Paths = [_folder["x.jsonl"]] }] };
        Assert.Contains("answer", Assert.Throws<InvalidDataException>(() => filter.Reject(At(0))).Message);
        File.WriteAllText(_folder["x.jsonl"], "{\"answer\":\"x\"}\nnot json\n");
        Assert.Contains("x.jsonl:2", Assert.Throws<InvalidDataException>(() => filter.Reject(At(0))).Message);
        Assert.Throws<FileNotFoundException>(() => new DecontaminationFilter { IndexFiles = [_folder["no*"]] }.BuildIndex());
        Assert.NotEmpty(new DecontaminationFilter().Validate());
        Assert.Empty(Filter.Validate());
    }
}
