namespace Finery.Workflow.Steps;

/// <summary>
/// One typed stage of a recipe: a sealed record whose <c>init</c> properties are its settings and inputs, plus <see cref="Run"/>.
/// The cache key of a step is the hash of its type, <see cref="Version"/>, settings, seed and the content of its inputs.
/// </summary>
/// <remarks>
/// To add a step: a record in this folder and a line in <see cref="StepCatalogue"/>. Property names become snake_case recipe keys and
/// kebab-case flags of the verb of the same name. Ranges are stated with
/// <see cref="System.ComponentModel.DataAnnotations.RangeAttribute"/>, what must be given with <c>required</c>.
/// Documentation of a property for <c>--help</c> comes from <see cref="System.ComponentModel.DescriptionAttribute"/>.
/// </remarks>
public abstract record Step
{
    /// <summary>What the step leaves in its folder, in order of importance: the first of a kind is what a bare step name refers to.</summary>
    public abstract IReadOnlyList<StepOutput> Outputs { get; }

    /// <summary>Version of the implementation, part of the cache key: raised when the same settings would give other bytes.</summary>
    public virtual int Version => 1;

    /// <summary>Files outside the recipe whose content is an input, for the cache key.</summary>
    /// <exception cref="RecipeException">Nothing is there to read; the message says what was looked for.</exception>
    public virtual IEnumerable<string> ExternalFiles() => [];

    /// <summary>Errors that involve more than one setting: (property name, message).</summary>
    public virtual IEnumerable<(string Property, string Message)> Validate() => [];

    /// <summary>
    /// Does the work. It may find the state of an interrupted earlier attempt with the same key in <see cref="StepContext.Folder"/> and must
    /// then end with the same bytes as an uninterrupted run. When <see cref="StepContext.Stop"/> is signalled it saves its state and
    /// throws <see cref="OperationCanceledException"/>.
    /// </summary>
    public abstract void Run(StepContext context);
}

/// <summary>A step that trains a model, and so can be profiled (<see cref="StepContext.ProfiledSteps"/>).</summary>
public interface ITrainingStep;

/// <summary>A recipe, or what it names, cannot be used as given. The message is for the user.</summary>
public sealed class RecipeException(string message) : Exception(message)
{
    /// <summary>Makes something of settings; those that do not fit data or model are the recipe's fault.</summary>
    internal static T Checked<T>(Func<T> create)
    {
        try
        {
            return create();
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidDataException)
        {
            throw new RecipeException(exception.Message);
        }
    }
}
