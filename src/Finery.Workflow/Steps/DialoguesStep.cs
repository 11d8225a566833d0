using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Writers;

namespace Finery.Workflow.Steps;

/// <summary>Makes chats to imitate, preference pairs and multiple-choice questions from documents about named things.</summary>
[Description("Make chats, preference pairs and multiple-choice questions from documents")]
public sealed record DialoguesStep : Step
{
    private const int ChoiceCount = 4;

    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Documents that chats and pairs are made of.</summary>
    [Input(ArtifactKind.Documents), Description("documents that chats and pairs are made of")]
    public required Artifact Train { get; init; }

    /// <summary>Documents that questions are made of.</summary>
    [Input(ArtifactKind.Documents), Description("held-out documents that questions are made of")]
    public required Artifact Heldout { get; init; }

    /// <summary>Most questions; 0 for all.</summary>
    [Description("most questions, 0 for all"), Range(0, int.MaxValue)]
    public int MaxQuestions { get; init; } = 600;

    /// <inheritdoc/>
    public override IReadOnlyList<StepOutput> Outputs =>
    [
        new("conversations.jsonl", ArtifactKind.Conversations),
        new("preferences.jsonl", ArtifactKind.Preferences),
        new("questions.jsonl", ArtifactKind.Questions),
    ];

    /// <inheritdoc/>
    public override void Run(StepContext context)
    {
        var train = Subjects(Train, context);
        var heldout = Subjects(Heldout, context);
        int conversations = WriteLines(context.Output("conversations.jsonl"), train.Select(subject =>
            new JsonObject { ["messages"] = Turns(("user", subject.Question), ("assistant", subject.Answer)) }));
        int pairs = WriteLines(context.Output("preferences.jsonl"), Pairs(train, context.Seed));
        int questions = WriteLines(context.Output("questions.jsonl"), Questions(heldout, context.Seed));
        context.Summary["conversations"] = conversations;
        context.Summary["preferences"] = pairs;
        context.Summary["questions"] = questions;
        context.Log($"{conversations:N0} chats, {pairs:N0} preference pairs, {questions:N0} questions");
        if (conversations == 0)
            throw new RecipeException("No chats could be made: the documents are too short, or too few are left for training.");
        if (questions == 0)
            context.Warn($"no questions could be made: fewer than {ChoiceCount} held-out documents with different answers");
    }

    /// <summary>One subject per name (overloads share their answer), in an order that depends on the seed alone.</summary>
    private static List<Subject> Subjects(Artifact documents, StepContext context)
    {
        var byName = new Dictionary<string, Subject>(StringComparer.Ordinal);
        foreach (var document in DocumentFolder.Read(documents))
        {
            context.Stop.ThrowIfCancellationRequested();
            if (Subject.From(document, context.Seed) is { } subject) byName.TryAdd(subject.Name, subject);
        }
        return [.. byName.Values.OrderBy(subject => StableHash.Of(subject.Name, context.Seed)).ThenBy(subject => subject.Name, StringComparer.Ordinal)];
    }

    /// <summary>The right answer over that of a sibling: another subject of the same family, or the next subject of all.</summary>
    private static IEnumerable<JsonObject> Pairs(List<Subject> subjects, ulong seed)
    {
        var families = subjects.Where(subject => subject.Family.Length > 0)
            .GroupBy(subject => subject.Family).ToDictionary(group => group.Key, group => group.ToArray());
        for (int i = 0; i < subjects.Count; i++)
        {
            var subject = subjects[i];
            var candidates = families.GetValueOrDefault(subject.Family) ?? [];
            var other = Different(candidates, subject, seed) ?? Different([subjects[(i + 1) % subjects.Count]], subject, seed);
            if (other is null) continue;
            yield return new JsonObject
            {
                ["prompt"] = Turns(("user", subject.Question)),
                ["chosen"] = Turns(("assistant", subject.Answer)),
                ["rejected"] = Turns(("assistant", other.Answer)),
            };
        }
    }

    private static Subject? Different(Subject[] candidates, Subject subject, ulong seed)
    {
        if (candidates.Length == 0) return null;
        int first = (int)(StableHash.Of(subject.Name, seed + 1) % (ulong)candidates.Length);
        for (int i = 0; i < candidates.Length; i++)
        {
            var candidate = candidates[(first + i) % candidates.Length];
            if (!string.Equals(candidate.Answer, subject.Answer, StringComparison.OrdinalIgnoreCase)) return candidate;
        }
        return null;
    }

    private IEnumerable<JsonObject> Questions(List<Subject> subjects, ulong seed)
    {
        int made = 0;
        foreach (var subject in subjects)
        {
            if (MaxQuestions > 0 && made == MaxQuestions) yield break;
            var choices = new List<string> { subject.Answer };
            ulong start = StableHash.Of(subject.Name, seed + 2);
            for (ulong i = 0; i < (ulong)subjects.Count && choices.Count < ChoiceCount; i++)
            {
                string distractor = subjects[(int)((start + i) % (ulong)subjects.Count)].Answer;
                if (!choices.Contains(distractor, StringComparer.OrdinalIgnoreCase)) choices.Add(distractor);
            }
            if (choices.Count < ChoiceCount) yield break;
            int answer = (int)(StableHash.Of(subject.Name, seed + 3) % ChoiceCount);
            (choices[0], choices[answer]) = (choices[answer], choices[0]);
            made++;
            yield return new JsonObject
            {
                ["id"] = subject.Id,
                ["context"] = subject.Context,
                ["question"] = subject.Question,
                ["choices"] = new JsonArray([.. choices.Select(choice => (JsonNode)choice)]),
                ["answer"] = answer,
            };
        }
    }

    private static JsonArray Turns(params ReadOnlySpan<(string Role, string Content)> turns)
    {
        var array = new JsonArray();
        foreach (var (role, content) in turns) array.Add(new JsonObject { ["role"] = role, ["content"] = content });
        return array;
    }

    private static int WriteLines(string path, IEnumerable<JsonObject> rows)
    {
        int count = 0;
        using var file = new AtomicFile(path);
        foreach (var row in rows)
        {
            JsonSerializer.Serialize(file.Stream, row, Json);
            file.Stream.WriteByte((byte)'\n');
            count++;
        }
        file.Commit();
        return count;
    }
}
