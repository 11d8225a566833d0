using Finery.Data.Tokenizers;
using Finery.Models.Llama;

namespace Finery.Workflow.Steps;

/// <summary>The <see cref="ArtifactKind.Model"/> artifact: a Hugging Face folder with weights and tokenizer.</summary>
internal static class ModelFolder
{
    private const string StageKey = "finery.stage";

    /// <summary>Saves weights, config and tokenizer. Only a finetuned model carries a chat template: a base model cannot chat.</summary>
    public static void Save(LlamaModel model, Tokenizer tokenizer, string folder, string stage)
    {
        var config = tokenizer.Config with
        {
            ModelMaxLength = model.Config.SequenceLength,
            ChatTemplate = stage == "pretrain" ? null : tokenizer.Config.ChatTemplate ?? ChatTemplate.Jinja,
        };
        TokenizerFile.Save(tokenizer.WithConfig(config), folder);
        model.Save(folder, new Dictionary<string, string> { ["format"] = "pt", [StageKey] = stage });
    }

    /// <summary>The chat template of a step. Its day is fixed, so that results do not depend on when a step runs or resumes: some
    /// templates print the date. It is the one Llama 3.1's template prints when it is given none.</summary>
    public static ChatTemplate Template(Tokenizer tokenizer) => new(tokenizer, new FixedDay(new DateTimeOffset(2024, 7, 26, 0, 0, 0, TimeSpan.Zero)));

    private sealed class FixedDay(DateTimeOffset day) : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => day;
    }

    /// <summary>The tokenizer of a model that is about to learn a chat template: its own, or Finery's.</summary>
    public static Tokenizer ChatTokenizer(string folder)
    {
        var tokenizer = TokenizerFile.Load(folder);
        return tokenizer.WithConfig(tokenizer.Config with { ChatTemplate = tokenizer.Config.ChatTemplate ?? ChatTemplate.Jinja });
    }
}
