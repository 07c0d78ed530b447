using Decant.Errors;

namespace Decant.Agent.Tests.Balancers;

/// <summary>Work that is expected to fail with an error for operators.</summary>
internal static class Refusal
{
    /// <summary>Waits for it.</summary>
    public static async Task<OperatorError> OfAsync(Task work)
    {
        try
        {
            await work;
        }
        catch (OperatorException exception)
        {
            return exception.Error;
        }

        Assert.Fail("it succeeded");
        return null!;
    }
}
