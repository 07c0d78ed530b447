namespace Decant.EndToEnd.Harness;

/// <summary>The world did not do what a test waited for; the message has what it did.</summary>
internal sealed class TestException(string message) : Exception(message);
