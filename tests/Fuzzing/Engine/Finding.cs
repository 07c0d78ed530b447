using System.Diagnostics;

namespace Decant.Fuzzing.Engine;

/// <summary>What went wrong with an input.</summary>
/// <param name="Place">The same for inputs that meet the same fault.</param>
/// <param name="Text">Of it.</param>
/// <param name="Input">The input.</param>
internal sealed record Finding(string Place, string Text, byte[] Input)
{
    /// <summary>An exception that is none of those that the target promises.</summary>
    public static Finding Of(Exception exception, byte[] input)
    {
        var frames = new StackTrace(exception).GetFrames().Select(f => f.GetMethod()).Where(m => m?.DeclaringType?.Namespace is not null);
        var own = frames.FirstOrDefault(m => m!.DeclaringType!.Namespace!.StartsWith("Decant.", StringComparison.Ordinal) && m.DeclaringType.Namespace != "Decant.Fuzzing.Engine");
        var words = exception is BrokenPromiseException ? exception.Message.Split(':')[0] : "";
        return new Finding($"{exception.GetType().Name} {own?.DeclaringType?.Name}.{own?.Name} {words}".Trim(), exception.ToString(), input);
    }
}
