using System.Text.Json.Nodes;
using Finery.Data.Tokenizers;
using Finery.Models.Generation;
using Finery.Models.Llama;
using Finery.Tensors;

namespace Finery.Workflow.Steps;

/// <summary>What each model answers to the same questions, greedily, beside the right answer.</summary>
internal sealed class SampleTable(IReadOnlyList<Question> questions, int count)
{
    private const int MaxTokens = 64;

    private readonly List<Question> _questions = [.. questions.Take(count)];
    private readonly List<(string Model, string[] Answers)> _columns = [];

    public void Add(string name, LlamaModel model, Kernels kernels, Tokenizer tokenizer, ChatTemplate? template, CancellationToken stop)
    {
        using var generator = new Generator(model, kernels);
        var settings = GenerationSettings.Greedy with { MaxTokens = MaxTokens };
        _columns.Add((name, [.. _questions.Select(question =>
        {
            int[] prompt = template is null
                ? [tokenizer.BosId!.Value, .. tokenizer.Encode(question.Context)]
                : template.EncodePrompt([new("user", question.Text)]);
            IReadOnlyList<int> ends = template?.EndIds ?? [tokenizer.EosId ?? -1];
            int[] answer = [.. generator.Generate(prompt, settings, ends, stop)];
            return tokenizer.Decode(answer).Trim();
        })]));
    }

    public JsonArray ToJson() => new([.. _questions.Select((question, row) =>
    {
        var answers = new JsonObject();
        foreach (var (model, column) in _columns) answers[model] = column[row];
        answers["the documentation"] = question.Choices[question.Answer];
        return (JsonNode)new JsonObject { ["prompt"] = question.Text, ["answers"] = answers };
    })]);
}
